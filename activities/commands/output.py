"""Captures the output of a command in constant memory: plain, redacted, head and tail, the whole of it in a log.

Text is worked on line by line, since no secret but a private key spans lines; a line that grows past 64 KiB is parted
where no secret is. Beyond the log's limit only the last bytes are kept raw and worked on at the end, so a command
that writes gigabytes costs no more than reading them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from activities.commands.plain import PlainText
from activities.commands.redaction import Redactor, without_torn_key
from orchex.domain.errors import StorageError

HEAD_BYTES = 16 * 1024
TAIL_BYTES = 48 * 1024
LOG_BYTES = 10 * 1024 * 1024
_LONGEST_LINE = 64 * 1024
_HELD_BACK = 8 * 1024
"""Characters of an overlong line that wait for what follows: a secret may have begun in them."""
_RAW_BYTES = 4 * TAIL_BYTES


class OutputCapture:
    """Feed it bytes, ``finish`` it, read ``text``. ``on_output`` gets what enters the log, as UTF-8."""

    def __init__(
        self,
        *,
        secrets: Iterable[str] = (),
        log_path: Path | None = None,
        on_output: Callable[[bytes], None] | None = None,
        log_bytes: int = LOG_BYTES,
    ) -> None:
        self.total = 0
        self._secrets = tuple(secrets)
        self._lines = _Lines(Redactor(self._secrets))
        self._plain = PlainText()
        self._shown = _HeadAndTail()
        self._raw: bytearray | None = None
        self._raw_lost = 0
        self._on_output = on_output
        self._log = None if log_path is None else _Log(log_path)
        self._log_bytes = log_bytes

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises StorageError when the log cannot be written."""
        self.total += len(data)
        if self._raw is None:
            self._emit(self._lines.feed(self._plain.feed(data)))
            if self._shown.total >= self._log_bytes:
                self._raw = bytearray()
            return
        self._raw += data
        if len(self._raw) > 2 * _RAW_BYTES:
            self._raw_lost += len(self._raw) - _RAW_BYTES
            del self._raw[:-_RAW_BYTES]

    def finish(self, note: str = "") -> None:
        """End of output. ``note`` is a line of our own to close with."""
        try:
            if self._raw_lost and self._raw is not None:
                self._jump(bytes(self._raw))
            else:
                self._emit(self._lines.feed(self._plain.feed(bytes(self._raw or b""), final=True), final=True))
            if note:
                self._emit(f"{'' if self._shown.ends_line else chr(10)}{note}\n")
        finally:
            self.close()

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def text(self) -> str:
        """Head and tail, with the number of bytes left out between them."""
        return self._shown.text()

    def _emit(self, text: str) -> None:
        data = text.encode()
        if not data:
            return
        self._shown.add(data)
        if self._log is not None:
            self._log.write(data)
        if self._on_output is not None:
            self._on_output(data)

    def _jump(self, raw: bytes) -> None:
        """Go on at the last raw bytes. They may begin inside a secret: leave its line out, or what it may fill."""
        redactor = Redactor(self._secrets)
        lines = _Lines(redactor)
        text = PlainText().feed(raw, final=True)
        newline = text.find("\n", 0, len(text) // 2)
        cut = newline + 1 if newline >= 0 else redactor.safe_cut(text, min(lines.held_back, len(text)))
        lost = self._raw_lost + len(text[:cut].encode()) + len(self._lines.rest.encode())
        text = without_torn_key(text[cut:])
        self._shown.skip(lost)
        if self._log is not None:
            self._log.write(f"\n… {lost:,} bytes left out: this log holds {self._log_bytes:,} bytes …\n".encode())
        self._emit(lines.feed(text, final=True))


class _Lines:
    """Collects text into lines and hands them out redacted."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._parts: list[str] = []
        self._length = 0
        self._inside_secret = False
        self.held_back = max(_HELD_BACK, redactor.longest + 1)

    @property
    def rest(self) -> str:
        return "".join(self._parts)

    def feed(self, text: str, *, final: bool = False) -> str:
        self._parts.append(text)
        self._length += len(text)
        overlong = self._length > _LONGEST_LINE + self.held_back
        if not final and not overlong and "\n" not in text:
            return ""
        whole = self._outside_secret(self.rest)
        cut = len(whole) if final else whole.rfind("\n") + 1
        if len(whole) - cut > _LONGEST_LINE:
            cut = self._part(whole, len(whole) - self.held_back)
        self._parts, self._length = [whole[cut:]], len(whole) - cut
        return self._redactor.redact(whole[:cut])

    def _part(self, whole: str, wish: int) -> int:
        cut = self._redactor.safe_cut(whole, wish)
        if cut > len(whole) - _LONGEST_LINE:
            return cut
        # One secret longer than a line may be: what follows of it is dropped as it comes.
        self._inside_secret = True
        return len(whole)

    def _outside_secret(self, text: str) -> str:
        if not self._inside_secret:
            return text
        for index, character in enumerate(text):
            if not (character.isalnum() or character in "-_.+/="):
                self._inside_secret = False
                return text[index:]
        return ""


class _HeadAndTail:
    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    @property
    def ends_line(self) -> bool:
        last = self._tail or self._head
        return not last or last.endswith(b"\n")

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = 0 if self._left_out else HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 4 * TAIL_BYTES:
            self._trim()

    def skip(self, count: int) -> None:
        self._left_out += len(self._tail) + count
        self._tail.clear()

    def text(self) -> str:
        if self._left_out or len(self._tail) > TAIL_BYTES:
            self._trim()
            # A character cut in two at either edge is dropped.
            head, tail = self._head.decode(errors="ignore"), self._tail.decode(errors="ignore")
            return f"{head}\n… {self._left_out:,} bytes left out …\n{tail}"
        return (self._head + self._tail).decode()

    def _trim(self) -> None:
        surplus = len(self._tail) - TAIL_BYTES
        if surplus > 0:
            self._left_out += surplus
            del self._tail[:surplus]


class _Log:
    """The log file of a command: made anew, readable by its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            self._file: BinaryIO = path.open("xb", buffering=0)  # whoever watches reads it meanwhile
            path.chmod(0o600)
        except OSError as error:
            raise self._failed(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StorageError:
        return StorageError(
            f"The log {self._path} cannot be written: {error.strerror}.",
            hint="Free some space or mend the folder's permissions, then resume the execution.",
        )
