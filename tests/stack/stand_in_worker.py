"""Stands in for the worker in tests of the stack: opens the door, answers with what it was given, and sleeps.

Standard library only, so that it is up at once. ``--fail`` ends at the start with a message, ``--stubborn`` ignores
SIGTERM, ``--busy`` says all the time that an execution is unfinished.
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path


def serve() -> None:
    endpoint = json.loads(os.environ["ORCHEX_STACK_ENDPOINT"])
    door = Path(endpoint["doorSocket"])
    door.unlink(missing_ok=True)
    if "--stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(door))
        listener.listen()
        listener.settimeout(0.2)
        answer = {"pid": os.getpid(), "environment": dict(os.environ), "cwd": str(Path.cwd())}
        while True:
            if "--busy" in sys.argv:
                (Path(os.environ["ORCHEX_HOME"]) / "stack" / "busy").touch()
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            with client:
                try:
                    client.sendall(json.dumps(answer).encode())
                except OSError:
                    time.sleep(0)


if "--fail" in sys.argv:
    sys.stderr.write("the store is damaged\n")
    sys.exit(7)
serve()
