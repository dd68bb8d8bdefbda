"""Runs commands: many at a time, each with a guardian, none outliving its end, its time limit or this process."""

import asyncio
import errno
import json
import os
import socket
import time
from collections.abc import Callable
from typing import Any, Self

from activities.commands import guardian
from activities.commands.host import Spawner
from activities.commands.output import OutputCapture
from activities.commands.reaper import MARKER, reap
from activities.commands.spec import CommandOutcome, CommandSpec
from orchex.domain.errors import CommandHostLost, CommandNotStarted

_READ_BYTES = 256 * 1024
"""More than a pipe holds, so one read empties it. The report comes after the last byte, so when it is in, nothing is
left to read; the end of the pipe is not waited for, since a process out of our reach may hold it open."""
_KILL_SECONDS = 10.0
"""After this time without a report from a guardian that was told to kill, it is given up as lost."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


class CommandRunner:
    """Use as ``async with``; ``run`` may be called concurrently, from the event loop that entered."""

    def __init__(self) -> None:
        self._spawner = Spawner()

    async def __aenter__(self) -> Self:
        self._spawner.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._spawner.close()

    @property
    def spawner_pid(self) -> int | None:
        return self._spawner.pid

    async def run(self, spec: CommandSpec, *, on_output: Callable[[bytes], None] | None = None) -> CommandOutcome:
        """Run one command to its end. ``on_output`` gets redacted text as UTF-8, line by line, as it comes.

        Cancelling ends every process of the command, then raises CancelledError. A program that is not found gives
        exit code 127, one that may not be executed 126, as a shell would. Raises CommandNotStarted (its folder or
        mounts), CommandHostLost (retryable), StorageError (log).
        """
        running = _Running(spec, on_output)
        supervision = asyncio.create_task(running.supervise(self._spawner))
        try:
            return await asyncio.shield(supervision)
        except asyncio.CancelledError:
            running.stop("cancelled: all its processes were ended")
            while not supervision.done():
                try:
                    await asyncio.wait({supervision})
                except asyncio.CancelledError:
                    continue
            if not supervision.cancelled():
                supervision.exception()
            raise


class _Running:
    """One command under way."""

    def __init__(self, spec: CommandSpec, on_output: Callable[[bytes], None] | None) -> None:
        self._spec = spec
        self._capture = OutputCapture(secrets=spec.secrets, log_path=spec.log_path, on_output=on_output)
        self._request = _encode(spec)
        self._note = ""
        self._stopping = asyncio.Event()
        self._broken: Exception | None = None
        self._timed_out = False
        self._pid: int | None = None

    def stop(self, note: str) -> None:
        if not self._stopping.is_set():
            self._note = f"[orchex] {note}"
            self._stopping.set()

    async def supervise(self, spawner: Spawner) -> CommandOutcome:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        reader, writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reader, False)
        try:
            try:
                control = await self._hand_over(spawner, writer)
            finally:
                os.close(writer)
            with control:
                loop.add_reader(reader, self._read, reader)
                report = await self._await_report(control)
            return self._outcome(report, began)
        finally:
            loop.remove_reader(reader)
            os.close(reader)
            self._capture.close()

    async def _hand_over(self, spawner: Spawner, writer: int) -> socket.socket:
        """Give the output, and the length of the request, to a guardian; one that died waiting gets no command."""
        head = len(self._request).to_bytes(guardian.LENGTH_BYTES, "big")
        while True:
            control = await spawner.guardian()
            try:
                socket.send_fds(control, [head], [writer])
            except ConnectionError:
                control.close()
            except BaseException:
                control.close()
                raise
            else:
                return control

    async def _await_report(self, control: socket.socket) -> dict[str, Any]:
        """Have the command run; stop it when that is asked for or its time is up; return the guardian's report."""
        exchange = asyncio.create_task(self._exchange(control))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            both = {exchange, stopping}
            await asyncio.wait(both, timeout=self._spec.timeout, return_when=asyncio.FIRST_COMPLETED)
            if not exchange.done():
                self._timed_out = not self._stopping.is_set()
                self.stop(f"ended after {self._spec.timeout} s, its time limit")
                control.shutdown(socket.SHUT_WR)
                await asyncio.wait({exchange}, timeout=_KILL_SECONDS)
            report = exchange.result() if exchange.done() else None
        finally:
            exchange.cancel()
            stopping.cancel()
            await asyncio.gather(exchange, stopping, return_exceptions=True)
        if report is None:
            raise await self._lost()
        return report

    async def _exchange(self, control: socket.socket) -> dict[str, Any] | None:
        """Send the request, read lines until the last one says how it ended; None if the guardian vanished."""
        loop = asyncio.get_running_loop()
        received = b""
        try:
            await loop.sock_sendall(control, self._request)
            while chunk := await loop.sock_recv(control, 64 * 1024):
                received += chunk
                *lines, received = received.split(b"\n")
                for message in map(json.loads, lines):
                    if "started" not in message:
                        return dict(message)
                    self._pid = message["started"]
        except ConnectionError:
            pass
        return None

    def _read(self, reader: int) -> None:
        data = os.read(reader, _READ_BYTES)
        if not data:
            asyncio.get_running_loop().remove_reader(reader)
        elif self._broken is None:
            try:
                self._capture.feed(data)
            except Exception as error:  # noqa: BLE001  raised by supervise, once the command is down
                self._broken = error
                self.stop("its output could not be recorded")
            if self._spec.output_limit is not None and self._capture.total > self._spec.output_limit:
                self.stop(f"ended: it wrote more than {self._spec.output_limit >> 20} MiB of output")

    def _outcome(self, report: dict[str, Any], began: float) -> CommandOutcome:
        if self._broken is not None:
            raise self._broken
        exit_code = report.get("exit")
        if "refused" in report:
            exit_code = self._refused(report)
        if report.get("exceeded") is not None:
            self._note = f"[orchex] ended: it took {report['exceeded']}"
        self._capture.finish(self._note)
        return CommandOutcome(
            exit_code=exit_code,
            signal=report.get("signal"),
            timed_out=self._timed_out,
            duration_ms=round((time.monotonic() - began) * 1000),
            output=self._capture.text(),
            output_bytes=self._capture.total,
            leftovers=report.get("leftovers", 0),
            survivors=report.get("survivors", 0),
            log_path=self._spec.log_path,
        )

    def _refused(self, report: dict[str, Any]) -> int:
        """The exit code a shell would give for a program that cannot be executed; raises for all else."""
        stage, number, message = report["refused"], report["errno"], report["message"]
        if stage == "mount":
            raise CommandNotStarted(
                f"The project could not be mounted for a command: {message}.",
                hint="`orchex doctor` tells which kinds of mounts this machine allows.",
            )
        if stage == "chdir":
            raise CommandNotStarted(
                f"A command cannot run in {self._spec.cwd}: {message}.", hint="The folder has to exist."
            )
        if stage == "fork":
            raise CommandHostLost(
                f"No process could be made for a command: {message}.",
                hint="Free some memory or processes; the step is tried again by itself.",
            )
        program = self._spec.argv[0]
        if number == errno.ENOENT:
            found = "/" in program and (self._spec.cwd / program).exists()
            why = "the interpreter in its first line does not exist" if found else "command not found"
            self._note = f"[orchex] {program}: {why}"
            return _NOT_FOUND
        self._note = f"[orchex] {program} cannot be executed: {message}"
        return _NOT_EXECUTABLE

    async def _lost(self) -> CommandHostLost:
        marker = self._spec.env.get(MARKER)
        reaped = await asyncio.to_thread(reap, marker) if marker else 0
        started = f"had started as process {self._pid}" if self._pid else "had perhaps not started"
        return CommandHostLost(
            f"The process that watched over `{self._spec.argv[0]}` vanished; the command {started}, and how it "
            f"ended is unknown. {reaped} of its processes were still there and were ended.",
            hint="The step is tried again by itself, unless its command says `retry: never`.",
        )


def _encode(spec: CommandSpec) -> bytes:
    cwd = str(spec.cwd)
    request = {
        "argv": spec.argv,
        "cwd": cwd,
        "env": {**spec.env, "PWD": cwd},
        "mounts": spec.mounts,
        "allowance": spec.allowance,
    }
    return json.dumps(request).encode()
