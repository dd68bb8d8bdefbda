"""The process that parses: a request is a line of JSON and the bytes it announces, an answer a line of JSON.

Each file has so much processor time; when it is used up the kernel ends the process, whatever the parser is doing,
and whoever asked reads the end of the file instead of an answer.
"""

import json
import resource
import signal
import sys
import warnings
from typing import BinaryIO

from activities.sources import go, python, script
from activities.sources.parsed import MAX_IMPORTS, MAX_OUTLINE, Language, Parsed, to_document

SECONDS_PER_FILE = 3.0
_LONGEST = 500
_MAX_MEMORY = 2 * 1024**3


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while header := requests.readline():
        asked = json.loads(header)
        data = requests.read(asked["bytes"])
        signal.setitimer(signal.ITIMER_PROF, SECONDS_PER_FILE)
        answer = _answer(asked["language"], data)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(answer)
        answers.flush()


def _answer(language: Language, data: bytes) -> bytes:
    try:
        parsed = _parse(language, data)
        # An address is no file of the project, and may hold a password: it is not kept.
        imports = [name for name in dict.fromkeys(parsed.imports) if len(name) <= _LONGEST and "://" not in name]
        answer = Parsed(tuple(imports[:MAX_IMPORTS]), parsed.outline[:MAX_OUTLINE])
    except (RecursionError, MemoryError):
        answer = Parsed(failure="nested too deeply to be parsed")
    return json.dumps(to_document(answer)).encode() + b"\n"


def _parse(language: Language, data: bytes) -> Parsed:
    if language == "python":
        return python.parse(data)
    return go.parse(data) if language == "go" else script.parse(data, language)


def main() -> None:
    warnings.simplefilter("ignore")  # what the parsed files are warned of is their own business
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)
