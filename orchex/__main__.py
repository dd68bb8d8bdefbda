"""The entry point: ``orchex`` and ``python -m orchex``.

Orchex runs inside other people's repositories, which own an ``api/`` or a ``yaml.py`` of their own. Before
anything else is imported, the current directory leaves the module path and what PYTHONPATH names goes to
its end. A foreign ``orchex.py`` in the current directory shadows ``python -m orchex`` before this file is
reached; the installed ``orchex``, and ``python -P -m orchex``, are not touched by it.
"""

# Until the path is safe, nothing is imported that the interpreter has not loaded already: so no pathlib here.
# ruff: noqa: PTH100, PTH119, PTH120

import os
import sys

PACKAGE = os.path.dirname(os.path.abspath(__file__))
STACK = "_stack"
"""The verb a stack's own process is started with; it is kept from the CLI's imports, which would slow it
down.
"""


def main() -> None:
    """Run the command and leave at once with its exit code.

    A process that used a Temporal client may abort while the interpreter shuts down, and that must not
    change the exit code of a command that has done its work.
    """
    open_standard_streams()
    prefer_own_packages()
    code = _run()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)


def open_standard_streams() -> None:
    """Whoever started this may have closed some of the three descriptors: then they lead nowhere, and what is opened
    next does not take their numbers and get what was meant for them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8"))


def prefer_own_packages() -> None:
    """Take the current directory off ``sys.path`` and put PYTHONPATH behind everything that was installed.

    A source tree goes ahead of everything. A ``site-packages`` keeps its place, behind the standard library.
    """
    root = os.path.dirname(PACKAGE)
    named = {_real(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
    foreign = named | {_real(""), _real(PACKAGE)}
    installed = [entry for entry in sys.path if _real(entry) not in foreign]
    behind = [entry for entry in sys.path if _real(entry) in named]
    if root not in installed or os.path.basename(root) not in ("site-packages", "dist-packages"):
        installed.insert(0, root)
    sys.path[:] = installed + behind


def _real(entry: str) -> str:
    try:
        return os.path.realpath(entry or ".")
    except FileNotFoundError:  # the current directory was removed, and nothing can be imported from there
        return entry


def _run() -> int:
    try:
        if sys.argv[1:2] == [STACK]:
            from orchex.stack.supervisor import main as supervise

            return supervise(sys.argv[2:])
        from orchex.cli.app import run

        return run()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            sys.stderr.write(stop.code + "\n")
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return 130
    except BaseException:  # noqa: BLE001 - the interpreter would print it, but it is not reached
        sys.excepthook(*sys.exc_info())
        return 1


if __name__ == "__main__":
    main()
