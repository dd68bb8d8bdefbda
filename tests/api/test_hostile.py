"""Hostile input: every one gets a problem document that says what is wrong, and no server error."""

import json
import socket
import time
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import httpx2
import pytest

from orchex.domain.event import EventType
from tests.api.serving import Served, Team
from tests.api.stories import accept, end

Raw = Callable[[bytes], tuple[int, dict[str, str], bytes]]

DEEP = b"[" * 100_000 + b"]" * 100_000
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def api(shared: Served) -> Served:
    return shared


def checked(answer: httpx2.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["requestId"] == answer.headers["x-request-id"]
    assert problem["type"].endswith(f"/problems/{code}")
    assert "Traceback" not in answer.text
    if code == "validation_failed":
        assert all({"pointer", "detail", "code"} == set(error) for error in problem["errors"])
        assert problem["errors"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "validation_failed"),
        (b"{", 400, "malformed_json"),
        (b"\xff\xfe{}", 400, "malformed_json"),
        (b"\x00", 400, "malformed_json"),
        (DEEP, 400, "malformed_json"),
        (b'{"task":' * 50_000 + b"1" + b"}" * 50_000, 400, "malformed_json"),
        (b'{"task": ' + b"9" * 10_000 + b"}", 400, "malformed_json"),
        (b'{"task": 1e999}', 422, "validation_failed"),
        (b'{"task": NaN}', 422, "validation_failed"),
        (b"null", 422, "validation_failed"),
        (b"[]", 422, "validation_failed"),
        (b'"text"', 422, "validation_failed"),
        (b'{"task": "a\\u0000b"}', 422, "validation_failed"),
        (b'{"task": "\\ud800"}', 422, "validation_failed"),
        (b'{"\\ud800": 1, "task": "x"}', 422, "validation_failed"),
        (b'{"task": "x", "metadata": {"\\ud800": "v"}}', 422, "validation_failed"),
        (b'{"task": "x", "metadata": {"k\\u0000": "v"}}', 422, "validation_failed"),
        (b'{"task": ""}', 422, "validation_failed"),
        (b'{"task": "   "}', 422, "validation_failed"),
        (b'{"task": "x", "teamId": "team_other"}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"dryRun": 0}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"dryRun": "false"}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxSteps": "10"}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxSteps": 0}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxSteps": true}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxSteps": 1' + b"0" * 300 + b"}}", 422, "validation_failed"),
        (b'{"task": "x", "options": {"timeout": -1}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxCostUsd": Infinity}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxCostUsd": true}}', 422, "validation_failed"),
        (b'{"task": "x", "options": {"maxCostUsd": "0.5"}}', 422, "validation_failed"),
        (b'{"task": "x", "context": {"files": ["../../etc/passwd"]}}', 422, "validation_failed"),
        (b'{"task": "x", "context": {"files": ["/etc/passwd"]}}', 422, "validation_failed"),
        (b'{"task": "x", "context": {"project": "../etc"}}', 422, "validation_failed"),
        (b'{"task": "x", "manifest": "name: x"}', 422, "validation_failed"),
        (b'{"manifest": "a: &a [*a, *a, *a]"}', 422, "validation_failed"),
        (b'{"manifest": "' + b"[" * 5000 + b'"}', 422, "validation_failed"),
        (b'{"manifest": "name: ' + b"9" * 6000 + b'"}', 422, "validation_failed"),
        (b'{"manifest": "!!python/object/apply:os.system [id]"}', 422, "validation_failed"),
        (b'{"streams": ["a"]}', 422, "validation_failed"),
        (b'{"task": "' + b"x" * 20_001 + b'"}', 422, "validation_failed"),
    ],
)
def test_a_bad_body_is_explained(api: Served, team: Team, body: bytes, status: int, code: str) -> None:
    with api.client(team.key) as client:
        checked(client.post("/v1/executions", content=body, headers=JSON), status, code)
        assert client.get("/v1/executions").json()["data"] == []


def test_every_wrong_member_is_pointed_at(api: Served, team: Team) -> None:
    body = {"task": 1, "context": {"files": ["a", 2]}, "options": {"dryRun": 0, "a/b~c": 1}}
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", json=body)
        pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/task", "/context/files/1", "/options/dryRun", "/options/a~1b~0c"}


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_media_type_is_refused(api: Served, team: Team, media_type: str) -> None:
    with api.client(team.key) as client:
        answer = client.post("/v1/executions", content=b'{"task": "x"}', headers={"Content-Type": media_type})
        checked(answer, 415, "unsupported_media_type")


def test_a_compressed_body_is_refused_before_it_is_unpacked(api: Served, team: Team) -> None:
    with api.client(team.key) as client:
        headers = JSON | {"Content-Encoding": "gzip"}
        checked(client.post("/v1/executions", content=b"\x1f\x8b", headers=headers), 415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused_whatever_its_framing(api: Served, team: Team) -> None:
    body = b'{"task": "' + b"x" * (1024 * 1024) + b'"}'

    def chunks() -> object:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    for content in (body, chunks()):
        with api.client(team.key) as client:
            answer = client.post("/v1/executions", content=content, headers=JSON)  # type: ignore[arg-type]
            checked(answer, 413, "body_too_large")


def test_a_client_that_sends_all_before_it_reads_gets_the_answer_too(api: Served, team: Team) -> None:
    size = 8 * 1024 * 1024
    head = f"POST /v1/executions HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n"
    with closing(connected(api)) as connection:
        connection.sendall(f"{head}Authorization: Bearer {team.key}\r\n\r\n".encode())
        for _ in range(size // 65536):
            connection.sendall(b"x" * 65536)
        status, headers, body = received(connection)
        assert (status, json.loads(body)["code"], headers["connection"]) == (413, "body_too_large", "close")
        assert connection.recv(1) == b""  # the connection ends, and not by a reset


@pytest.mark.parametrize("body", [b"{bad", b"\xff", b"9" * 5000, DEEP])
def test_a_body_that_a_route_has_no_use_for_is_checked_all_the_same(api: Served, team: Team, body: bytes) -> None:
    with api.client(team.key) as client:
        id = client.post("/v1/executions", json={"task": "x"}).json()["id"]
        end(api.office.database, id, EventType.EXECUTION_FAILED)
        headers = JSON | {"Idempotency-Key": "k"}
        checked(client.post(f"/v1/executions/{id}/resume", content=body, headers=headers), 400, "malformed_json")


def test_what_nobody_foresaw_is_a_problem_too(api: Served, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret of the server")

    monkeypatch.setattr("api.routes.teams.check_team", fail)
    with api.client(team.key) as client:
        answer = client.get(f"/v1/teams/{team.id}")
    checked(answer, 500, "internal")
    assert answer.json()["retryable"] is True  # so that the SDK tries again
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/executions/exec_nope",
        "/v1/executions/" + "x" * 5000,
        "/v1/executions/%00",
        "/v1/executions/..%2f..%2fetc",
        "/v1/executions/%ff%fe",
        "/v1/executions/exec_01J00000000000000000000000",
        "/v1/executions/exec_01J00000000000000000000000/artifacts/a",
        "/v1/executions/exec_01J00000000000000000000000/artifacts/..%2f..%2fpasswd",
        "/v1/executions/exec_01J00000000000000000000000/artifacts/%00",
        "/v1/executions/exec_01J00000000000000000000000/events",
        "/v1/executions/",
        "/v1",
        "/v2/executions",
        "/static/../app.py",
        "/static/%2e%2e%2fapp.py",
        "/problems/nope",
        "/v1/teams/team_nope",
        "/v1/api-keys/%00/nothing",
    ],
)
def test_what_is_not_there_is_not_found(api: Served, team: Team, path: str) -> None:
    with api.client(team.key) as client:
        checked(client.get(path), 404, "not_found")


def test_a_problem_names_its_place_as_a_reference(api: Served) -> None:
    """RFC 9457, 3.1.5: ``instance`` is a URI reference, whatever was asked for."""
    with api.client() as client:
        assert client.get("/v1/an ü").json()["instance"] == "/v1/an%20%C3%BC"


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=1e2",
        "limit=1_0",
        "limit=1.0",
        "limit=%201",
        "limit=",
        "limit=" + "9" * 5000,
        "status=nope",
        "status=",
        "limit=%00",
    ],
)
def test_a_bad_query_is_explained(api: Served, team: Team, query: str) -> None:
    with api.client(team.key) as client:
        checked(client.get(f"/v1/executions?{query}"), 422, "validation_failed")


@pytest.mark.parametrize(
    "before", ["nope", "exec_", "%20", "'; DROP TABLE executions;--", "team_01J00000000000000000000000"]
)
def test_a_cursor_that_is_none_is_refused(api: Served, team: Team, before: str) -> None:
    with api.client(team.key) as client:
        checked(client.get("/v1/executions", params={"before": before}), 400, "invalid_cursor")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_another_method_is_refused_with_those_that_are_allowed(api: Served, team: Team, method: str) -> None:
    with api.client(team.key) as client:
        answer = client.request(method, "/v1/executions")
        checked(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/healthz", "/v1/me", "/v1/executions", "/v1/nope", "/v1/teams/team_nope", "/v1/executions/{}"],
)
def test_a_head_is_a_get_without_its_body(api: Served, team: Team, path: str) -> None:
    def telling(answer: httpx2.Response) -> dict[str, str]:
        passing = {"date", "x-request-id", "ratelimit", "ratelimit-remaining", "ratelimit-reset"}
        return {name: value for name, value in answer.headers.items() if name not in passing}

    with api.client(team.key, **{"X-Request-Id": "mine"}) as client:
        execution = accept(api.office.database, team.id)
        end(api.office.database, execution)
        path = path.format(execution)
        got, head = client.get(path), client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert telling(head) == telling(got)


def test_a_head_of_an_event_stream_ends(api: Served, team: Team) -> None:
    execution = accept(api.office.database, team.id)
    with api.client(team.key) as client:
        answer = client.head(f"/v1/executions/{execution}/events")
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert client.head(f"/v1/executions/{execution}/events").status_code == 200


@pytest.mark.parametrize("request_id", ["a b", "a\tb", "<script>", "x" * 65, "é", "'", "${jndi:ldap://x}", ""])
def test_a_request_id_that_could_harm_a_log_is_replaced(api: Served, request_id: str) -> None:
    with api.client() as client:
        answer = client.get("/healthz", headers=[(b"X-Request-Id", request_id.encode())])
        assert answer.headers["x-request-id"].startswith("req_")
        assert client.get("/healthz", headers={"X-Request-Id": "my-Own_1"}).headers["x-request-id"] == "my-Own_1"


@pytest.mark.parametrize(
    "key",
    ["orchex_sk_", "orchex_sk_" + "0" * 64, "x", "ö", "x" * 10_000, "' OR 1=1 --", "\x7f", "orchex_sk_\xff"],
)
def test_every_unknown_key_gets_the_same_answer(api: Served, key: str) -> None:
    with api.client() as client:
        answers = [
            client.get("/v1/executions", headers=[(b"Authorization", f"Bearer {key}".encode())]),
            client.get("/v1/executions", headers=[(b"X-API-Key", key.encode())]),
        ]
    for answer in answers:
        checked(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="orchex", error="invalid_token"'
        assert answer.json()["detail"] == "this API key is unknown, expired or revoked"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "bearer"])
def test_no_key_at_all_is_said_so(api: Served, header: str) -> None:
    with api.client(Authorization=header) as client:
        answer = client.get("/v1/executions")
        checked(answer, 401, "missing_api_key")
        assert answer.headers["www-authenticate"] == 'Bearer realm="orchex"'


def test_a_key_in_the_address_opens_nothing(api: Served, team: Team) -> None:
    with api.client() as client:
        checked(client.get(f"/v1/executions?api_key={team.key}&access_token={team.key}"), 401, "missing_api_key")


# -- below HTTP


@pytest.fixture
def raw(api: Served) -> Raw:
    """Send bytes, get (status, headers, body)."""

    def send(data: bytes) -> tuple[int, dict[str, str], bytes]:
        with closing(connected(api)) as connection:
            connection.sendall(data)
            return received(connection)

    return send


def connected(api: Served) -> socket.socket:
    place = urlsplit(api.url)
    return socket.create_connection((place.hostname, place.port), timeout=20)


def received(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
        head, separator, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if separator and length and len(body) >= int(length[0].partition(b":")[2]):
            break
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(status.split()[1]), headers, body


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\x00c\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/executions HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/executions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/executions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 40_000,
    ],
)
def test_what_is_not_http_gets_a_problem_too(raw: Raw, data: bytes) -> None:
    status, headers, body = raw(data)
    assert status in (400, 501)
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["code"] == "bad_request"
    assert headers["connection"] == "close"


def test_broken_chunks_get_a_problem_or_a_closed_connection(raw: Raw) -> None:
    head = b"POST /v1/executions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, headers, _ = raw(head + b"zz\r\nhello\r\n0\r\n\r\n")
    assert status == 400
    assert headers["content-type"] == "application/problem+json"


def test_a_header_cannot_be_smuggled_into_an_answer(raw: Raw) -> None:
    _, headers, body = raw(b"GET /v1/nope%0d%0aX-Evil:%20yes HTTP/1.1\r\nHost: a%0d%0aX-Evil: b\r\n\r\n")
    assert "x-evil" not in headers
    json.loads(body)


@pytest.mark.parametrize("host", [b'a"b', b"<script>", b"a b", b"[::1", b"a:99999999", b"\xff", b"a/b?c#d@e"])
def test_a_strange_host_is_no_server_error(raw: Raw, host: bytes) -> None:
    status, headers, body = raw(b"GET /v1/executions?limit=2 HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert status in (400, 401)
    assert headers["content-type"] == "application/problem+json"
    json.loads(body)


def test_a_body_that_trickles_is_given_up(api: Served, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.bodies.BODY_SECONDS", 0.5)
    head = f"POST /v1/executions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {team.key}\r\n"
    with closing(connected(api)) as connection:
        connection.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n".encode())
        connection.sendall(b"{")
        status, headers, body = received(connection)
        assert (status, json.loads(body)["code"]) == (408, "request_timeout")
        assert headers["connection"] == "close"


def test_a_head_that_trickles_is_given_up(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.server.HEAD_SECONDS", 0.5)
    with closing(connected(api)) as connection:
        for byte in (b"G", b"E", b"T"):
            connection.sendall(byte)
            time.sleep(0.05)
        status, _, body = received(connection)
        assert (status, json.loads(body)["code"]) == (408, "request_timeout")


def test_slow_clients_do_not_keep_others_waiting(api: Served) -> None:
    slow = [connected(api) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(b"POST /v1/executions HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{")
        with api.client() as client:
            assert client.get("/healthz").status_code == 200
    finally:
        for connection in slow:
            connection.close()


def test_several_requests_on_one_connection_are_answered_in_turn(raw: Raw, api: Served) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with closing(connected(api)) as connection:
        for _ in range(3):
            connection.sendall(one)
            assert received(connection)[0] == 200
