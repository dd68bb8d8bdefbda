"""One line of the log: ``GET /path 200 35ms``."""

from typing import NamedTuple


class Request(NamedTuple):
    method: str
    path: str
    status: int
    milliseconds: int


def parse(line: str) -> Request:
    method, path, status, duration = line.split()
    return Request(method, path, int(status), int(duration.removesuffix("ms")))
