"""What ``orchex doctor`` looks at. Every check answers; none starts anything."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from orchex.cli.backend import environment
from orchex.cli.text import one_line
from orchex.domain.errors import OrchexError
from orchex.domain.ids import key_id
from orchex.settings import Settings
from orchex.stack import preflight
from orchex.stack.client import running_stack
from orchex.stack.home import prepare_home
from orchex.stack.paths import StackPaths

PYTHON_NEEDED = (3, 11)
Outcome = Literal["ok", "note", "missing"]


@dataclass(frozen=True)
class Check:
    """``note``: it works without, and less well. ``missing``: nothing runs until it is mended as ``cure`` says."""

    name: str
    outcome: Outcome
    found: str
    cure: str = ""


def checks(settings: Settings) -> Iterator[Check]:
    """All of them, in the order in which they depend on each other."""
    for name, look in _LOOKS.items():
        try:
            yield Check(name, *look(settings))
        except OrchexError as error:
            yield Check(name, "missing", one_line(error.message), one_line(error.hint))


Answer = tuple[Outcome, str, str]


def _python(_settings: Settings) -> Answer:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= PYTHON_NEEDED:
        return "ok", found, ""
    return "missing", found, f"Install Orchex with Python {'.'.join(map(str, PYTHON_NEEDED))} or newer."


def _git(_settings: Settings) -> Answer:
    preflight.check_git()
    answer = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout
    return "ok", one_line(answer).removeprefix("git version "), ""


def _home(settings: Settings) -> Answer:
    paths = StackPaths(settings.home)
    prepare_home(paths)
    free = shutil.disk_usage(settings.home).free
    return "ok", f"{settings.home}, {free / 1e9:.1f} GB free", ""


def _temporal(settings: Settings) -> Answer:
    if settings.external_temporal:
        return _external_temporal(settings)
    binary = preflight.find_temporal()
    version = preflight.server_version(binary, StackPaths(settings.home).temporal / "version.json")
    return "ok", f"dev server {version}", ""


def _external_temporal(settings: Settings) -> Answer:
    import asyncio

    from orchex.engine.connect import connect

    asyncio.run(connect(keys=settings.encryption_keys))
    return "ok", f"answers ({preflight.server_name(settings)})", ""


def _encryption(settings: Settings) -> Answer:
    if not settings.encryption_keys:
        return "ok", "off: whoever can read Temporal's database can read what it keeps (ORCHEX_ENCRYPTION_KEY)", ""
    first, *others = map(key_id, settings.encryption_keys)
    opened = f"; {', '.join(others)} still opened" if others else ""
    return "ok", f"what enters Temporal is sealed with key {first}{opened}", ""


def _namespaces(settings: Settings) -> Answer:
    from activities.commands.namespaces import probe

    support = probe(settings.home)
    if support.level != "none":
        return "ok", one_line(support.reason), ""
    cure = "Commands then run without the project's dependency folders, unless `setup` commands install them."
    return "note", one_line(support.reason), cure


def _sandbox(settings: Settings) -> Answer:
    from activities.commands.sandbox.levels import cure, find_support

    support = find_support(settings.home)
    lacking = f"; not held: {'; '.join(support.lacks)}" if support.lacks else ""
    found = one_line(f"{support.level}{f' ({support.problem})' if support.problem else ''}{lacking}")
    if support.level != "none":
        return "note" if support.lacks else "ok", found, cure(support)
    if settings.allow_unsandboxed:
        return "note", f"{found}; ORCHEX_ALLOW_UNSANDBOXED lets a model's commands run all the same", cure(support)
    return "note", f"{found}; a model's commands are refused", cure(support)


def _store(settings: Settings) -> Answer:
    from orchex.cli.backend import has_store

    if not has_store(settings):
        return "ok", "none yet; it comes with the first execution", ""
    from orchex.store.database import SCHEMA_REVISION, Database, database_url

    revision = Database(database_url(settings.database_url, settings.home)).revision()
    if revision == SCHEMA_REVISION:
        return "ok", f"schema {revision}", ""
    return (
        "note",
        f"schema {revision}, this release wants {SCHEMA_REVISION}",
        "It is brought up to date at the next start.",
    )


def _stack(settings: Settings) -> Answer:
    endpoint = running_stack(settings)
    if endpoint is None:
        return "ok", "none runs; one is started when it is needed", ""
    return "ok", f"pid {endpoint.pid}, version {endpoint.version}, since {endpoint.started_at}", ""


def _model(settings: Settings) -> Answer:
    import asyncio

    from activities.models.checkup import examine
    from activities.models.prices import read_prices

    read_prices(settings.prices)
    finding = asyncio.run(examine(environment()))
    return "ok" if finding.works else "note", one_line(finding.found), one_line(finding.cure)


_LOOKS: dict[str, Callable[[Settings], Answer]] = {
    "Python": _python,
    "git": _git,
    "home": _home,
    "Temporal": _temporal,
    "encryption": _encryption,
    "mount namespaces": _namespaces,
    "sandbox": _sandbox,
    "store": _store,
    "stack": _stack,
    "model": _model,
}
