"""The dashboard in a real browser."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import update

from orchex.domain.event import EventType
from orchex.store.blobs import BlobStore
from orchex.store.executions import Executions
from orchex.store.tables import ApiKeyRow
from tests.api.browser import Page, browsing, chromium
from tests.api.serving import Served, Team
from tests.api.stories import accept, ask, begin, end, keep, tell

BINARY = chromium()
pytestmark = pytest.mark.skipif(BINARY is None, reason="there is no Chromium here")
HOSTILE = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Of one database: the page sees no more of it than the API shows."""
    return f"sqlite:///{tmp_path / 'orchex.db'}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(BINARY or "", tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, api: Served, team: Team) -> Page:
    """With the owner's key."""
    browser.open(f"{api.url}/docs")
    browser.ask(f"sessionStorage.setItem('orchex-key', {json.dumps(team.key)})")
    return browser


def blob(api: Served, content: str) -> str:
    return BlobStore(api.parts.engine.home / "blobs").put(content.encode())


def test_a_key_that_opens_nothing_is_said_and_one_that_does_shows_the_team(
    browser: Page, api: Served, team: Team
) -> None:
    def enter(key: str) -> None:
        browser.ask(f"document.getElementById('key').value = {json.dumps(key)}")
        browser.ask("document.querySelector('dialog button').click()")

    browser.open(f"{api.url}/docs")
    browser.ask("sessionStorage.clear()")
    browser.open(f"{api.url}/")
    browser.until("document.getElementById('door').open")
    enter("orchex_sk_wrong")
    browser.sees("This key is unknown, expired or revoked.")
    enter(team.key)
    browser.sees("Nothing has run yet")
    assert not browser.ask("document.getElementById('door').open")


def test_what_happens_is_seen_without_asking_again(page: Page, api: Served, team: Team) -> None:
    database, step = api.office.database, {"stream": "a", "index": 0, "kind": "work"}
    execution = accept(database, team.id)
    page.open(f"{api.url}/#{execution}")
    page.sees("queued")
    begin(database, execution)
    tell(database, execution, EventType.STEP_STARTED, **step, title="Build the thing")
    page.sees("Build the thing")
    log = blob(api, "what it printed")
    keep(database, execution, "a/001-1.log", "log", log, 15)
    tell(database, execution, EventType.STEP_COMPLETED, **step, title="Build", status="failed", log="a/001-1.log")
    page.sees("what it printed")
    patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n"
    keep(database, execution, "a.patch", "patch", blob(api, patch), len(patch))
    end(database, execution)
    page.sees("completed")
    page.sees("+1\n−1")


def test_a_plan_is_read_before_it_is_approved(page: Page, api: Served, team: Team) -> None:
    execution = accept(api.office.database, team.id)
    steps = [{"title": "Drop the table", "text": "All of it.", "files": ["schema.sql"], "commands": ["make drop"]}]
    plan = blob(api, json.dumps({"steps": steps, "estimate": {"tokens": 1200, "cost_usd": 0.5}}))
    begin(api.office.database, execution)
    planned = {"plan_ref": plan, "titles": ["Drop the table"], "total": 1, "cursor": 0, "base": "b", "checkpoint": "c"}
    tell(api.office.database, execution, EventType.STREAM_PLANNED, stream="a", **planned)
    ask(api.office.database, execution, plan)
    page.open(f"{api.url}/#{execution}")
    approve = "[...document.querySelectorAll('.decision button')].find((each) => each.textContent === 'Approve')"
    page.sees("has no artifact")
    assert page.ask(f"{approve}.disabled")
    keep(api.office.database, execution, "a.plan.json", "plan", plan, 9)
    page.open(f"{api.url}/?again#{execution}")
    page.sees("Drop the table")
    page.until(f"!{approve}.disabled")
    for shown in ("make drop", "schema.sql", "1,200 tokens, $0.50"):
        page.sees(shown)


def test_what_others_wrote_is_text_and_fits(page: Page, api: Served, team: Team) -> None:
    database = api.office.database
    execution = accept(database, team.id, labels={HOSTILE[:64]: HOSTILE})
    begin(database, execution)
    tell(database, execution, EventType.STEP_STARTED, stream="a", index=0, kind="work", title=HOSTILE + "x" * 500)
    keep(database, execution, "a.patch", "patch", blob(api, f"diff --git a/{HOSTILE} b/y\n+{HOSTILE}\n"), 9)
    end(database, execution, EventType.EXECUTION_FAILED)
    for width in (1280, 360):
        page.open(f"{api.url}/?{width}#{execution}", width)
        page.sees(f"+{HOSTILE}")
        assert page.ask("document.title") == "Orchex"
        assert page.ask("document.documentElement.scrollWidth") <= width


def test_a_narrow_screen_shows_the_list_or_one_of_it(page: Page, api: Served, team: Team) -> None:
    execution = accept(api.office.database, team.id)
    page.open(f"{api.url}/?narrow", 390)
    page.until("document.querySelector('.item')?.checkVisibility()")
    page.ask("document.querySelector('.item').click()")
    page.sees(execution)
    assert not page.ask("document.querySelector('.item').checkVisibility()")
    page.ask("document.getElementById('back').click()")
    page.until("document.querySelector('.item').checkVisibility()")


def test_a_key_that_dies_shuts_the_page(page: Page, api: Served, team: Team) -> None:
    execution = accept(api.office.database, team.id)
    page.open(f"{api.url}/?dies#{execution}")
    page.sees(execution)
    with api.office.database.write() as session:
        session.exec(update(ApiKeyRow).values(revoked_at=datetime.now(UTC)))
    Executions(api.office.database).request_cancel(execution, "")
    page.until("document.getElementById('door').open")
    assert execution not in page.text
