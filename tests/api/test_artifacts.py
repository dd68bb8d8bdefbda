"""What an execution hands back, over HTTP."""

import hashlib
from urllib.parse import quote

import httpx2
import pytest

from orchex.store.blobs import BlobStore
from tests.api.serving import Served, Team
from tests.api.stories import accept, keep

CONTENT = b"0123456789"


@pytest.fixture
def api(shared: Served) -> Served:
    return shared


@pytest.fixture
def team(api: Served) -> Team:
    return api.office.team()


@pytest.fixture
def execution(api: Served, team: Team) -> str:
    """With one artifact of each kind, all of the same ten bytes, and one whose content was not kept."""
    database = api.office.database
    execution = accept(database, team.id)
    blob = BlobStore(api.parts.engine.home / "blobs").put(CONTENT)
    for name, kind in (("a.patch", "patch"), ("a/1.log", "log"), ("a/files/x.html", "file"), ("a.plan.json", "plan")):
        keep(database, execution, name, kind, blob, len(CONTENT))
    keep(database, execution, "a/files/gone.txt", "file", None, 0)
    return execution


def get(api: Served, team: Team, execution: str, name: str = "a.patch", **headers: str) -> httpx2.Response:
    with api.client(team.key, **headers) as client:
        return client.get(f"/v1/executions/{execution}/artifacts/{name}")


@pytest.mark.parametrize(
    ("range", "status", "body", "where"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=8-100", 206, b"89", "bytes 8-9/10"),
        ("bytes=-100", 206, CONTENT, "bytes 0-9/10"),
        ("bytes=5-2", 200, CONTENT, None),
        ("bytes=0-1,3-4", 200, CONTENT, None),
        ("lines=0-1", 200, CONTENT, None),
        ("nonsense", 200, CONTENT, None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
def test_a_range_is_cut_out(
    api: Served, team: Team, execution: str, range: str, status: int, body: bytes | None, where: str | None
) -> None:
    answer = get(api, team, execution, Range=range)
    assert answer.status_code == status
    assert body is None or answer.content == body
    assert answer.headers.get("content-range") == where
    if status == 416:
        assert answer.json()["code"] == "range_not_satisfiable"


def test_an_entity_tag_saves_the_second_transfer(api: Served, team: Team, execution: str) -> None:
    tag = get(api, team, execution).headers["etag"]
    assert tag == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    for match in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = get(api, team, execution, **{"If-None-Match": match})
        assert (again.status_code, again.content) == (304, b"")
    assert get(api, team, execution, **{"If-None-Match": '"other"'}).status_code == 200


def test_a_range_of_something_else_is_the_whole(api: Served, team: Team, execution: str) -> None:
    answer = get(api, team, execution, Range="bytes=0-1", **{"If-Range": '"other"'})
    assert (answer.status_code, answer.content) == (200, CONTENT)
    tag = answer.headers["etag"]
    assert get(api, team, execution, Range="bytes=0-1", **{"If-Range": tag}).status_code == 206


@pytest.mark.parametrize("name", ["a.patch", "a/1.log", "a/files/x.html", "a.plan.json"])
def test_no_browser_makes_a_page_of_an_artifact(api: Served, team: Team, execution: str, name: str) -> None:
    headers = get(api, team, execution, name).headers
    assert "html" not in headers["content-type"]
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize(
    "name", ['a/files/sp ace "quote" #?%41;ü\r\nX-Evil: 1', r"a/files/caf\xe9/bad\xff", "a/files/caf\\xe9~2"]
)
def test_a_name_of_any_kind_is_found_by_its_url_and_harms_no_header(
    api: Served, team: Team, execution: str, name: str
) -> None:
    blob = hashlib.sha256(CONTENT).hexdigest()
    keep(api.office.database, execution, name, "file", blob, len(CONTENT))
    answer = get(api, team, execution, quote(name))
    assert answer.content == CONTENT
    assert "x-evil" not in answer.headers


def test_what_was_not_kept_is_said_to_be_missing(api: Served, team: Team, execution: str) -> None:
    answer = get(api, team, execution, "a/files/gone.txt")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
