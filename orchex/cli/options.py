"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Execution = Annotated[str, typer.Argument(metavar="ID", help="An execution's id, or `latest`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else there.")]
Project = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="The folder to work on; the git toplevel, else the current folder, by default. On a server, a name.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Plan, and change nothing.")]
Model = Annotated[str | None, typer.Option(help="The model of every stream, or `runbook`.")]
NoApply = Annotated[bool, typer.Option("--no-apply", help="Keep the result; `orchex apply` lands it later.")]
ApprovePlan = Annotated[bool, typer.Option("--approve-plan", help="Wait for `orchex approve` before the first step.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, metavar="N", help="Most tokens all streams may use together.")]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost-usd", min=0.0001, metavar="USD", help="Most US dollars all streams may cost together."),
]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait: print the id.")]
