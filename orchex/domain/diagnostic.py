"""One finding about a text the user wrote, with its place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """``line`` and ``column`` start at 1; ``path`` is the place in the data, such as ``streams.api.commands[0]``.

    As text it is ``file:line:column: path: message``, the form editors and terminals link to.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        end = f'; did you mean "{self.suggestion}"?' if self.suggestion else ""
        return f"{self.file}:{self.line}:{self.column}: {self.path}: {self.message}{end}"
