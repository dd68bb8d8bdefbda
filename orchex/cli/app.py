"""``orchex``: every command, and the one place where errors become exit codes."""

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

_COMMANDS = {
    "exec": "execute:exec_manifest",
    "run": "execute:run_task",
    "resume": "execute:resume",
    "status": "reading:status",
    "list": "reading:list_executions",
    "logs": "reading:logs",
    "diff": "reading:diff",
    "apply": "steering:apply",
    "undo": "steering:undo",
    "cancel": "steering:cancel",
    "approve": "steering:approve",
    "reject": "steering:reject",
    "validate": "manifests:validate",
    "schema": "manifests:schema",
    "init": "manifests:init",
    "up": "processes:up",
    "worker": "processes:worker",
    "api": "processes:api",
    "mcp": "mcp:mcp",
    "setup": "setup:setup",
    "doctor": "doctor:doctor",
    "admin": "admin.app:app",
}


def build(names: Iterable[str] = tuple(_COMMANDS)) -> typer.Typer:
    """The command line with these commands. What a command imports is loaded with it, and not for another one."""
    app = typer.Typer(
        name="orchex",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(main)
    for name in names:
        module, function = _COMMANDS[name].split(":")
        found = getattr(import_module(f"orchex.cli.{module}"), function)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from orchex.stack.launch import orchex_version

        typer.echo(f"orchex {orchex_version()}")
        raise typer.Exit


def main(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Carry out tasks durably: plan, edit, run the project's own commands, hand back a diff."""


def run() -> int:
    """Run the command line; its exit code."""
    gc.disable()  # nothing that is loaded here is ever garbage, and looking for it takes a fifth of the start
    from orchex.cli import exits
    from orchex.domain.errors import OrchexError

    app = build(_asked(sys.argv[1:]))
    gc.enable()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        app()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except OrchexError as error:
        return exits.report(error)
    except BrokenPipeError:
        return exits.ExitCode.FAILED
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets one line and not a traceback
        return exits.report_unexpected(error)
    return 0


def _asked(arguments: list[str]) -> Iterable[str]:
    """The commands that these arguments can lead to."""
    first = arguments[:1]
    if first == ["--version"]:
        return ()
    return first if first and first[0] in _COMMANDS else _COMMANDS
