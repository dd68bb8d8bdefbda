"""Idempotency-Key: once, whoever asks again, and whoever dies in between."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from orchex.domain.errors import IdempotencyInProgress, IdempotencyKeyReused
from orchex.store.database import Database
from orchex.store.idempotency import KEPT, LEASE, Answer, Claim, Idempotency, KeyedRequest, purge
from tests.store.cloud import NOW, SECRET, make_team

ANSWER = Answer(201, '{"key": "orchex_sk_clear"}')


@pytest.fixture
def request_(database: Database) -> KeyedRequest:
    return KeyedRequest(make_team(database), "POST /v1/executions", "k", "f" * 64)


@pytest.fixture
def idempotency() -> Idempotency:
    return Idempotency(SECRET)


def test_the_first_is_carried_out_and_the_next_gets_its_answer(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW, "exec_1") == Claim("exec_1")
        idempotency.finish(session, request_, ANSWER)
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW, "exec_2") == ANSWER


def test_while_it_is_carried_out_the_next_is_told_to_wait(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    with database.write() as session:
        idempotency.claim(session, request_, NOW)
    with pytest.raises(IdempotencyInProgress), database.write() as session:
        idempotency.claim(session, request_, NOW + LEASE - timedelta(seconds=1))


def test_another_body_under_the_same_key_is_refused(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    other = KeyedRequest(request_.team_id, request_.route, request_.key, "0" * 64)
    with database.write() as session:
        idempotency.claim(session, request_, NOW)
    with pytest.raises(IdempotencyKeyReused), database.write() as session:
        idempotency.claim(session, other, NOW)


def test_a_key_means_something_for_its_team_and_route_alone(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    elsewhere = KeyedRequest(request_.team_id, "POST /v1/api-keys", request_.key, "0" * 64)
    foreign = KeyedRequest(make_team(database, name="Other"), request_.route, request_.key, "0" * 64)
    with database.write() as session:
        for each in (request_, elsewhere, foreign):
            assert isinstance(idempotency.claim(session, each, NOW), Claim)


def test_what_a_dead_server_began_is_taken_over_with_what_it_made(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    with database.write() as session:
        idempotency.claim(session, request_, NOW, "exec_1")
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW + LEASE, "exec_2") == Claim("exec_1", taken_over=True)
    with pytest.raises(IdempotencyInProgress), database.write() as session:
        idempotency.claim(session, request_, NOW + LEASE, "exec_3")


def test_what_is_rolled_back_was_never_claimed(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    def claim_and_fail() -> None:
        with database.write() as session:
            assert idempotency.claim(session, request_, NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        claim_and_fail()
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW, "exec_2") == Claim("exec_2")


def test_a_released_claim_can_be_tried_again_and_an_answer_cannot_be_released(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    with database.write() as session:
        idempotency.claim(session, request_, NOW)
        idempotency.release(session, request_)
    with database.write() as session:
        assert isinstance(idempotency.claim(session, request_, NOW), Claim)
        idempotency.finish(session, request_, ANSWER)
        session.flush()
        idempotency.release(session, request_)
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW) == ANSWER


def test_after_a_day_a_key_is_new_again(database: Database, idempotency: Idempotency, request_: KeyedRequest) -> None:
    with database.write() as session:
        idempotency.claim(session, request_, NOW, "exec_1")
        idempotency.finish(session, request_, ANSWER)
    with database.write() as session:
        assert idempotency.claim(session, request_, NOW + KEPT, "exec_2") == Claim("exec_2")
    with database.write() as session:
        purge(session, NOW + KEPT)
        assert session.execute(text("SELECT count(*) FROM idempotency")).scalar_one() == 1
        purge(session, NOW + 2 * KEPT)
        assert session.execute(text("SELECT count(*) FROM idempotency")).scalar_one() == 0


def test_a_stored_answer_does_not_show_the_key_in_it(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    with database.write() as session:
        idempotency.claim(session, request_, NOW)
        idempotency.finish(session, request_, ANSWER)
    with database.read() as session:
        assert "orchex_sk_clear" not in str(session.execute(text("SELECT * FROM idempotency")).all())


def test_of_fifty_at_once_one_is_carried_out(
    database: Database, idempotency: Idempotency, request_: KeyedRequest
) -> None:
    def claim(number: int) -> bool:
        try:
            with database.write() as session:
                return isinstance(idempotency.claim(session, request_, NOW, f"exec_{number}"), Claim)
        except IdempotencyInProgress:
            return False

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(claim, range(50))) == 1
