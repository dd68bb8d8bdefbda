"""A real browser without a screen: Chromium over the pipe of its own protocol, where there is one."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Nothing is asked of anybody but the page."""
SECONDS = 60.0
_WIRE = (
    "import os; from sys import argv; os.dup2(int(argv[1]), 3); os.dup2(int(argv[2]), 4); os.execv(argv[3], argv[3:])"
)
"""The protocol is spoken on descriptors 3 and 4."""


def chromium() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Page:
    """One page. What it is asked is JavaScript; what it answers is JSON."""

    def __init__(self, to: BinaryIO, answers: BinaryIO) -> None:
        self._to, self._from = to, answers
        self._numbers = itertools.count(1)
        self._session: dict[str, str] = {}
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def open(self, url: str, width: int = 1280) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        self._call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'")

    def ask(self, expression: str) -> Any:
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.ask(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"{condition} never came true: {self.text}"
            time.sleep(0.05)

    def sees(self, text: str) -> None:
        """Waits until the text is on the page, for whoever looks."""
        self.until(f"document.body.innerText.includes({json.dumps(text)})")

    @property
    def text(self) -> str:
        return str(self.ask("document.body.innerText"))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        call = {"id": number, "method": method, "params": parameters, **self._session}
        self._to.write(json.dumps(call).encode() + b"\0")
        self._to.flush()
        while True:
            message = json.loads(self._message())
            if message.get("id") == number:
                assert "error" not in message, (method, message)
                return dict(message["result"])

    def _message(self) -> bytes:
        message = bytearray()
        while (byte := self._from.read(1)) != b"\0":
            assert byte, "the browser has ended"
            message += byte
        return bytes(message)


@contextmanager
def browsing(binary: str, profile: Path) -> Iterator[Page]:
    """A page of a fresh profile, until the block ends."""
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    command = [binary, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(
        [sys.executable, "-c", _WIRE, str(to_read), str(from_write), *command],
        pass_fds=(to_read, from_write),
        stderr=subprocess.DEVNULL,
    ) as process:
        os.close(to_read)
        os.close(from_write)
        try:
            with os.fdopen(to_write, "wb") as to, os.fdopen(from_read, "rb") as answers:
                yield Page(to, answers)
        finally:
            process.terminate()
