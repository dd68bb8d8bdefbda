"""``validate``, ``schema`` and ``init``: manifests, with nothing running."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from orchex.cli import starter
from orchex.cli.exits import ExitCode, complain
from orchex.cli.text import clean, count, put
from orchex.domain.diagnostic import Diagnostic
from orchex.domain.errors import InvalidManifest


def validate(
    manifests: Annotated[list[Path], typer.Argument(metavar="MANIFEST", help="Manifests, YAML files.")],
    format: Annotated[Literal["text", "json"], typer.Option(help="How to report.")] = "text",
) -> None:
    """Check manifests and report everything that is wrong with them."""
    findings = {str(path): _problems(path) for path in manifests}
    if format == "json":
        put(json.dumps({"manifests": [_entry(*finding) for finding in findings.items()]}, indent=2))
    else:
        _tell(findings)
    if any(findings.values()):
        raise typer.Exit(ExitCode.USAGE)


def schema() -> None:
    """Print the JSON Schema of manifests, for editors."""
    from orchex.manifest import schema_text

    put(schema_text().removesuffix("\n"))


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write; the current folder.")] = Path(),
) -> None:
    """Write a first manifest for this project, orchex.yaml."""
    from activities.workspaces.layout import current_folder

    here = current_folder()
    for path in starter.write(folder):
        put(f"wrote {path}")
    place = "" if folder.resolve() == here else f" --project {folder}"
    put(f"next: orchex exec {folder / starter.MANIFEST}{place}")


def _problems(path: Path) -> list[Diagnostic]:
    from activities.models.runbooks import broken_runbooks
    from activities.workspaces.layout import current_folder, find_project
    from orchex.manifest import load_manifest

    try:
        load_manifest(path, project=find_project(current_folder()), check=broken_runbooks)
    except InvalidManifest as error:
        return error.diagnostics
    return []


def _entry(name: str, problems: list[Diagnostic]) -> dict[str, Any]:
    from dataclasses import asdict

    return {"file": name, "valid": not problems, "diagnostics": [asdict(problem) for problem in problems]}


def _tell(findings: dict[str, list[Diagnostic]]) -> None:
    for name, problems in findings.items():
        if not problems:
            put(f"{clean(name)}: ok")
        for problem in problems:
            sys.stderr.write(clean(str(problem)) + "\n")
    total = sum(map(len, findings.values()))
    if total:
        complain(f"{count(total, 'problem')} in {count(sum(map(bool, findings.values())), 'manifest')}")
