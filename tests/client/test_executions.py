import pytest

from orchex import (
    ConflictError,
    ConnectionFailed,
    InvalidInput,
    NotFoundError,
    OrchexClient,
    UnexpectedAnswer,
    ValidationFailedError,
)
from tests.client.stand_in import KEY, Fault, StandIn


def test_the_contracts_example_reads_the_same_in_python(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute(task="Refactor authentication module", files=["src/auth/"], options={"max_steps": 12})
    server.emit(execution.id, "execution.started")
    server.emit(execution.id, "execution.completed")
    execution.wait()
    assert execution.result is not None
    assert execution.result.success
    assert server.requests("POST")[0].body == {
        "task": "Refactor authentication module",
        "context": {"files": ["src/auth/"]},
        "options": {"maxSteps": 12},
    }


def test_the_documents_of_the_contract_are_enough(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.executions[execution.id].document = {
        "id": execution.id,
        "status": "completed",
        "progress": {"current": 8, "total": 8},
        "result": {"success": True, "artifacts": [], "summary": "Feature implemented successfully"},
        "metrics": {"duration": 45000, "tokensUsed": 12500},
    }
    execution.refresh()
    assert (execution.status, execution.progress.total, execution.metrics.tokens_used) == ("completed", 8, 12500)


def test_members_a_newer_server_adds_are_ignored(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    document = server.executions[execution.id].document
    document |= {"mood": "good", "metrics": {"duration": 1, "watts": 3}}
    assert execution.refresh().metrics.duration == 1


def test_an_unknown_option_is_named_by_the_error(client: OrchexClient) -> None:
    with pytest.raises(ValidationFailedError, match=r"/options/maxStep: unknown member") as caught:
        client.execute("a task", options={"max_step": 3})  # type: ignore[arg-type]
    assert caught.value.errors[0].pointer == "/options/maxStep"
    assert caught.value.code == "validation_failed"


def test_a_lost_answer_starts_nothing_twice(server: StandIn, client: OrchexClient) -> None:
    server.faults += [Fault(-1), Fault(-1)]
    execution = client.execute("a task")
    keys = {seen.headers["idempotency-key"] for seen in server.requests("POST")}
    assert len(server.requests("POST")) == 3
    assert (len(keys), list(server.executions)) == (1, [execution.id])


def test_two_calls_start_two_executions(server: StandIn, client: OrchexClient) -> None:
    assert client.execute("a task").id != client.execute("a task").id


def test_a_key_of_ones_own_makes_two_calls_one(client: OrchexClient) -> None:
    assert client.execute("a", idempotency_key="mine").id == client.execute("a", idempotency_key="mine").id


@pytest.mark.parametrize("key", ["", "a b", "a\nX-Evil: 1", "ä", "x" * 256])
def test_a_key_of_ones_own_that_no_header_carries_is_refused(server: StandIn, client: OrchexClient, key: str) -> None:
    with pytest.raises(InvalidInput, match="visible ASCII"):
        client.execute("a task", idempotency_key=key)
    assert not server.seen


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "half a \ud83d character", object()])
def test_what_json_cannot_say_is_refused(server: StandIn, client: OrchexClient, value: object) -> None:
    with pytest.raises(InvalidInput, match="JSON"):
        client.execute("a task", metadata={"what": value})  # type: ignore[dict-item]
    assert not server.seen


def test_what_was_deleted_by_an_attempt_whose_answer_was_lost_is_deleted(server: StandIn, client: OrchexClient) -> None:
    server.faults += [Fault(-1), Fault(404)]
    client.members.remove("team_1", "usr_1")
    server.faults.append(Fault(404))
    with pytest.raises(NotFoundError):
        client.members.remove("team_1", "usr_1")


def test_lists_are_read_page_after_page(server: StandIn, client: OrchexClient) -> None:
    ids = [client.execute(f"task {number}").id for number in range(7)]
    assert [execution.id for execution in client.executions.list(limit=3)] == ids[::-1]
    assert len(server.requests("GET")) == 3


def test_a_list_reads_no_page_that_nobody_asks_for(server: StandIn, client: OrchexClient) -> None:
    for number in range(7):
        client.execute(f"task {number}")
    next(iter(client.executions.list(limit=3)))
    assert len(server.requests("GET")) == 1


def test_a_list_may_be_of_some_statuses(server: StandIn, client: OrchexClient) -> None:
    ids = [client.execute(f"task {number}").id for number in range(3)]
    server.end(ids[1], "failed")
    assert [execution.id for execution in client.executions.list(status="failed")] == [ids[1]]
    assert client.executions.page(status=("failed", "running"), limit=2).has_more


def test_another_teams_execution_is_not_found(client: OrchexClient) -> None:
    with pytest.raises(NotFoundError, match="req_stand_in") as caught:
        client.executions.get("exec_unknown")
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (404, "not_found", "req_stand_in")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_an_id_leads_to_no_other_path(server: StandIn, client: OrchexClient, name: str) -> None:
    with pytest.raises(InvalidInput):
        client.executions.get(name)
    assert not server.seen


def test_an_id_is_one_segment_of_the_path(server: StandIn, client: OrchexClient) -> None:
    with pytest.raises(NotFoundError):
        client.executions.get("exec_1/../../teams?x=1#y")
    assert server.seen[0].path == "/v1/executions/exec_1/../../teams?x=1#y"
    assert not server.seen[0].query


def test_a_patch_is_all_its_streams_patches_in_their_order(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    for name in ("a.patch", "b.patch"):
        server.artifacts[execution.id, name] = f"{name}\n".encode()
    server.end(execution.id, "completed")
    document = server.executions[execution.id].document
    document["streams"] = [{"id": id, "description": id, "status": "completed"} for id in ("b", "a")]
    document["result"]["artifacts"] = [
        {"name": name, "kind": kind, "url": f"/executions/{execution.id}/artifacts/{name}"}
        for name, kind in (("a.patch", "patch"), ("a/files/x.py", "file"), ("b.patch", "patch"))
    ]
    assert execution.patch() == b"b.patch\na.patch\n"


def test_an_artifact_keeps_the_slashes_of_its_name(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    server.artifacts[execution.id, "a/files/ä ?#.py"] = b"print()\n"
    assert execution.artifact("a/files/ä ?#.py") == b"print()\n"
    with pytest.raises(InvalidInput):
        execution.artifact("a/../../../teams")


def test_one_text_is_no_list_of_files(client: OrchexClient) -> None:
    with pytest.raises(InvalidInput, match="files is a list"):
        client.execute("a task", files="src/auth/")


@pytest.mark.parametrize("what", [{}, {"task": "a task", "manifest": "name: x"}])
def test_an_execution_takes_a_task_or_a_manifest(client: OrchexClient, what: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="either"):
        client.execute(**what)  # type: ignore[arg-type]


def test_cancel_answers_how_it_stands(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute("a task")
    assert execution.cancel(reason="enough").status == "cancelled"
    assert server.requests("POST", "/cancel")[0].body == {"reason": "enough"}


def test_the_plan_that_waits_is_approved_and_no_other(server: StandIn, client: OrchexClient) -> None:
    execution = client.execute(manifest="name: two", inputs={"who": "Ada", "times": 2})
    stream = {"description": "", "status": "awaiting_approval"}
    waiting = [{**stream, "id": "a", "planHash": "a" * 64}, {**stream, "id": "b", "planHash": "b" * 64}]
    document = server.executions[execution.id].document
    document["streams"] = waiting
    execution.approve()
    document["streams"] = [{**waiting[0], "status": "running"}, waiting[1]]
    execution.approve()
    assert [seen.body["planHash"][0] for seen in server.requests("POST", "/approve")] == ["a", "b"]
    assert server.seen[0].body["inputs"] == {"who": "Ada", "times": 2}


def test_an_answer_that_is_no_document_is_an_error_that_says_so(server: StandIn, client: OrchexClient) -> None:
    server.faults.append(Fault(200, body=b"<html>welcome to the hotel's wifi</html>"))
    with pytest.raises(UnexpectedAnswer, match="GET /executions/exec_1 cannot be read"):
        client.executions.get("exec_1")


def test_a_redirect_is_not_followed_with_the_key(server: StandIn, client: OrchexClient) -> None:
    server.faults.append(Fault(307, headers={"Location": "http://127.0.0.1:1/v1/executions"}))
    with pytest.raises(UnexpectedAnswer, match="redirects"):
        client.execute("a task")
    assert len(server.seen) == 1


def test_nobody_there_is_told_with_the_address_and_without_the_key(server: StandIn) -> None:
    server.stop()
    with (
        OrchexClient(KEY, base_url=server.url, max_retries=1) as client,
        pytest.raises(ConnectionFailed, match=f"127.0.0.1:{server.port}/v1") as caught,
    ):
        client.execute("a task")
    assert KEY not in f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"


def test_a_conflict_that_is_about_to_pass_is_asked_again(server: StandIn, client: OrchexClient) -> None:
    passing = {"code": "idempotency_in_progress", "detail": "in progress", "retryable": True}
    server.faults.append(Fault(409, passing, {"Retry-After": "0"}))
    assert client.execute("a task").id == "exec_1"
    server.faults.append(Fault(409, {"code": "not_awaiting_approval", "retryable": False}))
    with pytest.raises(ConflictError):
        client.executions.cancel("exec_1")
