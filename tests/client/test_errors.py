import pickle

import pytest

import orchex
from orchex import (
    ApiError,
    ConnectionFailed,
    OrchexClient,
    PaymentRequiredError,
    RateLimitError,
    ServerError,
)
from orchex.client import errors, retries
from orchex.client.retries import RetryPolicy, retry_after
from orchex.store.idempotency import LEASE
from tests.client.stand_in import KEY, Fault, StandIn


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "PaymentRequiredError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (405, "BadRequestError"),
        (409, "ConflictError"),
        (412, "PreconditionFailedError"),
        (413, "BadRequestError"),
        (415, "BadRequestError"),
        (418, "BadRequestError"),
        (422, "ValidationFailedError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
        (503, "ServerError"),
    ],
)
def test_each_status_is_a_class_and_the_code_tells_more(server: StandIn, status: int, name: str) -> None:
    server.faults.append(Fault(status, {"code": "a_code", "detail": "what happened"}, {"X-Request-Id": "req_7"}))
    with OrchexClient(KEY, base_url=server.url, max_retries=0) as client, pytest.raises(ApiError) as caught:
        client.execute("a task")
    error = caught.value
    assert (type(error), error.code, error.status) == (getattr(orchex, name), "a_code", status)
    assert str(error) == f"{status} a_code: what happened (request req_7)"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"x"', b"[" * 100_000, b"\xff\xfe", b'{"code": 7}'])
def test_an_error_without_a_problem_is_an_error_still(server: StandIn, body: bytes) -> None:
    server.faults.append(Fault(502, body=body))
    with OrchexClient(KEY, base_url=server.url, max_retries=0) as client, pytest.raises(ServerError) as caught:
        client.execute("a task")
    assert caught.value.code == "http_502"


def test_a_quota_says_what_is_used_up(server: StandIn, client: OrchexClient) -> None:
    told = {
        "code": "quota_exceeded",
        "meter": "executions",
        "limit": 10,
        "used": 10,
        "resetsAt": "2026-12-01T00:00:00Z",
    }
    server.faults.append(Fault(402, told))
    with pytest.raises(PaymentRequiredError) as caught:
        client.execute("a task")
    error = caught.value
    assert (error.meter, error.limit, error.used, error.resets_at) == ("executions", 10, 10, "2026-12-01T00:00:00Z")
    assert len(server.seen) == 1


@pytest.mark.parametrize("fault", [Fault(0), Fault(429), Fault(500), Fault(502), Fault(503), Fault(504), Fault(408)])
def test_what_may_pass_is_tried_again(server: StandIn, client: OrchexClient, fault: Fault) -> None:
    server.faults += [fault, fault]
    client.execute("a task")
    assert len(server.seen) == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 412, 422, 501])
def test_what_will_not_pass_is_not_tried_again(server: StandIn, client: OrchexClient, status: int) -> None:
    server.faults.append(Fault(status))
    with pytest.raises(ApiError):
        client.execute("a task")
    assert len(server.seen) == 1


def test_the_server_has_the_last_word_on_trying_again(server: StandIn, client: OrchexClient) -> None:
    server.faults.append(Fault(500, {"code": "internal", "retryable": False}))
    with pytest.raises(ServerError):
        client.execute("a task")
    assert len(server.seen) == 1


def test_trying_again_ends(server: StandIn) -> None:
    server.faults += [Fault(503)] * 10
    with OrchexClient(KEY, base_url=server.url, max_retries=2) as client, pytest.raises(ServerError):
        client.execute("a task")
    assert len(server.seen) == 3


def test_a_server_that_wants_an_hour_is_not_waited_for(server: StandIn, client: OrchexClient) -> None:
    server.faults.append(Fault(429, {"code": "rate_limited"}, {"Retry-After": "3600"}))
    with pytest.raises(RateLimitError) as caught:
        client.execute("a task")
    assert caught.value.retry_after == 3600
    assert len(server.seen) == 1


def test_retry_after_is_the_least_to_wait() -> None:
    error = errors.api_error(429, {}, request_id="", retry_after=7)
    delays = [RetryPolicy(9).delay(error, attempt) for attempt in range(9) for _ in range(50)]
    assert all(delay is not None and 7 <= delay <= 8 for delay in delays)


def test_an_answer_that_was_lost_is_waited_for_until_its_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the lease of a claim whose server has died: see ``orchex.store.idempotency``."""
    monkeypatch.setattr(retries, "FIRST_SECONDS", 0.5)
    problem = {"code": "idempotency_in_progress", "retryable": True}
    error = errors.api_error(409, problem, request_id="", retry_after=1.0)

    def waited(policy: RetryPolicy) -> float:
        return sum(policy.delay(error, attempt) or 0.0 for attempt in range(100))

    assert min(waited(RetryPolicy(4)) for _ in range(200)) > LEASE.total_seconds()
    assert waited(RetryPolicy(0)) == 0.0


def test_jitter_is_full_and_grows_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_SECONDS", 0.5)
    policy, error = RetryPolicy(100), ConnectionFailed("nobody")
    bounds = [0.5, 1, 2, 4, 8, 8, 8]
    for attempt, bound in enumerate(bounds):
        delays = [policy.delay(error, attempt) or 0.0 for _ in range(400)]
        assert bound * 0.8 < max(delays) <= bound
        assert min(delays) < bound * 0.2
    assert policy.delay(error, 99) is not None
    assert policy.delay(error, 100) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 5 ", 5),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("²", None),
        ("9" * 400, 999_999_999),
    ],
)
def test_retry_after_is_read_in_both_forms_and_never_trusted(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(
    "error",
    [
        errors.api_error(402, {"code": "quota_exceeded", "meter": "steps"}, request_id="req_1", retry_after=3.0),
        errors.api_error(422, {"errors": [{"pointer": "/task"}]}, request_id="", retry_after=None),
        errors.ConnectionFailed("nobody", hint="look", timed_out=True),
        errors.UnexpectedAnswer("what", status=200),
        errors.WaitTimedOut("late", hint="wait"),
        errors.WebhookRejected("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_is_the_same_in_another_process(error: errors.ClientError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_every_error_of_the_sdk_is_named_where_users_look() -> None:
    own = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.ClientError)
    }
    assert own <= set(orchex.__all__)
    assert all(getattr(orchex, name) is not None for name in orchex.__all__)
    assert set(orchex.__all__) <= set(dir(orchex))
    with pytest.raises(AttributeError):
        orchex.no_such_name  # type: ignore[attr-defined] # noqa: B018
