"""``doctor``: what works here, and what to do about the rest."""

import json as jsonlib
import sys
from dataclasses import asdict

import typer

from orchex.cli import options
from orchex.cli.exits import ExitCode
from orchex.cli.text import clean, paint, put
from orchex.settings import load_settings

_SIGNS = {"ok": ("✓", "green"), "note": ("!", "yellow"), "missing": ("✗", "red")}


def doctor(json: options.Json = False) -> None:
    """Check what Orchex needs here, and say what to do about the rest."""
    from orchex.cli.checks import checks

    found = list(checks(load_settings()))
    if json:
        put(jsonlib.dumps({"checks": [asdict(check) for check in found]}, indent=2))
    else:
        width = max(len(check.name) for check in found)
        for check in found:
            sign, style = _SIGNS[check.outcome]
            put(f"{paint(sign, style, sys.stdout)} {check.name:{width}}  {clean(check.found)}")
            if check.cure:
                put(f"  {'':{width}}  {clean(check.cure)}")
    if any(check.outcome == "missing" for check in found):
        raise typer.Exit(ExitCode.FAILED)
