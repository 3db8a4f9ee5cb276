"""What each request calls, in one table; and each of these calls fails in every way: 503 or unnoticed, never half-done.

The table is the budget that ARCHITECTURE.md gives each path: no other test of the API lists exact calls.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from graphjobs.aws.claims import Claim
from graphjobs.aws.clients import REQUEST, longest_call
from graphjobs.aws.input_bodies import INLINE_BYTES
from graphjobs.core.job import Status
from graphjobs.core.outcome import completed
from graphjobs.core.slot import MAX_INLINE_BYTES
from tests.support.api.calls import Answer, Api, rewire
from tests.support.api.threads import with_a_state
from tests.support.faults import FAULTS, client_error

FUNCTION_SECONDS = 29
"""As deployed; the HTTP API gives up at 30."""

Request = Callable[[], Answer]


def create(service: Api) -> Request:
    return lambda: service.submit(key="k")


def create_with_a_large_input(service: Api) -> Request:
    return lambda: service.submit(key="k", input="x" * (INLINE_BYTES + 1))


def status_of_a_running_job(service: Api) -> Request:
    job = service.aws.new_job()
    service.aws.claims.claim(job.job_id, model=None)
    return lambda: service.call("GET", f"/jobs/{job.job_id}/status")


def status_of_a_queued_job(service: Api) -> Request:
    job = service.aws.new_job()
    return lambda: service.call("GET", f"/jobs/{job.job_id}/status")


def status_with_a_result_in_the_bucket(service: Api) -> Request:
    job = service.aws.new_job()
    claim = service.aws.claims.claim(job.job_id, model=None)
    assert isinstance(claim, Claim)
    service.aws.claims.finish(claim, completed(Random(0).randbytes(MAX_INLINE_BYTES + 1).hex()), claim.tail)
    return lambda: service.call("GET", f"/jobs/{job.job_id}/status")


def delete_of_a_queued_job(service: Api) -> Request:
    job = service.aws.new_job()
    return lambda: service.call("DELETE", f"/jobs/{job.job_id}")


def cancel_of_a_queued_job(service: Api) -> Request:
    job = service.aws.new_job()
    return lambda: service.call("POST", f"/jobs/{job.job_id}/cancel")


def cancel_of_a_running_job(service: Api) -> Request:
    job = service.aws.new_job()
    assert isinstance(service.aws.claims.claim(job.job_id, model=None), Claim)
    return lambda: service.call("POST", f"/jobs/{job.job_id}/cancel")


def cancel_of_a_lost_job(service: Api) -> Request:
    job = service.aws.new_job()
    service.aws.clock.advance(-3600)
    service.aws.claims.claim(job.job_id, model=None)
    return lambda: service.call("POST", f"/jobs/{job.job_id}/cancel")


def a_list(service: Api) -> Request:
    service.aws.new_job()
    return lambda: service.call("GET", "/jobs")


def ticket(service: Api) -> Request:
    job = service.aws.new_job()
    return lambda: service.call("POST", f"/jobs/{job.job_id}/stream-ticket")


def create_on_a_new_thread(service: Api) -> Request:
    thread_id = str(uuid.uuid4())
    return lambda: service.submit(key="k", query="q", thread_id=thread_id, if_not_exists="create")


def state_of_a_thread(service: Api) -> Request:
    thread_id = with_a_state(service.aws, owner="user-1")
    return lambda: service.call("GET", f"/threads/{thread_id}/state")


def history_of_a_thread(service: Api) -> Request:
    thread_id = with_a_state(service.aws, owner="user-1")
    return lambda: service.call("GET", f"/threads/{thread_id}/history")


# In order: an input is in the bucket, and a job in the table, before somebody is told of it.
REQUESTS: dict[Callable[[Api], Request], list[tuple[str, str]]] = {
    create: [
        ("secrets_manager", "get_secret_value"),
        ("dynamodb", "transact_write_items"),
        ("sqs", "send_message"),
        ("dynamodb", "update_item"),
    ],
    create_with_a_large_input: [
        ("secrets_manager", "get_secret_value"),
        ("s3", "put_object"),
        ("dynamodb", "transact_write_items"),
        ("sqs", "send_message"),
        ("dynamodb", "update_item"),
    ],
    create_on_a_new_thread: [
        ("secrets_manager", "get_secret_value"),
        ("dynamodb", "get_item"),
        ("dynamodb", "get_item"),
        ("dynamodb", "get_item"),
        ("dynamodb", "transact_write_items"),
        ("sqs", "send_message"),
        ("dynamodb", "update_item"),
    ],
    status_of_a_queued_job: [("dynamodb", "get_item"), ("dynamodb", "query"), ("dynamodb", "query")],
    status_of_a_running_job: [("dynamodb", "get_item"), ("dynamodb", "query")],
    status_with_a_result_in_the_bucket: [("dynamodb", "get_item"), ("dynamodb", "query"), ("s3", "get_object")],
    delete_of_a_queued_job: [("dynamodb", "get_item"), ("dynamodb", "transact_write_items")],
    cancel_of_a_queued_job: [("dynamodb", "get_item"), ("dynamodb", "transact_write_items")],
    cancel_of_a_running_job: [("dynamodb", "get_item"), ("dynamodb", "update_item")],
    cancel_of_a_lost_job: [
        ("dynamodb", "get_item"),
        ("dynamodb", "get_item"),
        ("dynamodb", "query"),
        ("dynamodb", "transact_write_items"),
    ],
    a_list: [("dynamodb", "query")],
    ticket: [("dynamodb", "get_item"), ("secrets_manager", "get_secret_value")],
    state_of_a_thread: [("dynamodb", "get_item"), ("dynamodb", "batch_get_item")],
    history_of_a_thread: [("dynamodb", "get_item"), ("dynamodb", "query"), ("dynamodb", "batch_get_item")],
}
WITHOUT_A_JOB = (state_of_a_thread, history_of_a_thread)
IDS = [prepare.__name__ for prepare in REQUESTS]


def each_call() -> Iterator[Any]:
    for prepare, calls in REQUESTS.items():
        for service, operation in dict.fromkeys(calls):
            yield pytest.param(prepare, service, operation, id=f"{prepare.__name__}-{operation}")


def consistent(service: Api) -> None:
    """Every row has its input; it is terminal if and only if its log ends with `done`."""
    keys = {item["pk"]["S"] for item in service.items()}
    for key in keys:
        kind, _, name = key.partition("#")
        if kind != "job":
            continue
        assert f"input#{name}" in keys
        job = service.aws.jobs.get(name)
        log = service.aws.events(name)
        assert job is not None
        assert job.status.terminal == (bool(log) and log[-1]["type"] == "done")
        assert [event["type"] for event in log].count("done") <= 1


@pytest.mark.parametrize("prepare", REQUESTS, ids=IDS)
def test_a_request_makes_exactly_these_calls(service: Api, prepare: Callable[[Api], Request]) -> None:
    request = prepare(service)
    service.forget_calls()
    assert request().status in (200, 202)
    assert service.calls() == REQUESTS[prepare]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("prepare", "client", "operation"), list(each_call()))
def test_a_passing_fault_is_503_and_a_retry_does_it_once(
    service: Api, prepare: Callable[[Api], Request], client: str, operation: str, fault: str
) -> None:
    request = prepare(service)
    service.clients[client].fail(operation, FAULTS[fault](), times=100)
    answer = request()
    assert answer.status == 503, answer
    assert answer.code == "temporarily_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"
    consistent(service)
    service.clients[client]._faults.clear()
    rewire()  # the ticket keys are asked for again a second after a failure, in a new environment at once
    assert request().status in (200, 202)
    consistent(service)
    jobs = sum(item["pk"]["S"].startswith("job#") for item in service.items())
    assert jobs == (0 if prepare in WITHOUT_A_JOB else 1)


@pytest.mark.parametrize(("prepare", "client", "operation"), list(each_call()))
def test_a_backend_that_hangs_is_answered_for_before_the_gateway_does_it(
    service: Api,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Api], Request],
    client: str,
    operation: str,
) -> None:
    """Given a call that takes all of its time at every try, then there is a 503 within the function's own time."""
    request = prepare(service)
    clock = [1_000.0]

    def hang() -> None:
        clock[0] += longest_call(REQUEST)
        raise FAULTS["timeout"]()

    for _ in range(10):
        service.clients[client].before(operation, hang)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    answer = request()
    assert clock[0] - 1_000.0 < FUNCTION_SECONDS
    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("operation", ["transact_write_items", "update_item"])
@pytest.mark.parametrize("prepare", [create, cancel_of_a_queued_job, cancel_of_a_running_job, cancel_of_a_lost_job])
def test_a_write_whose_answer_is_lost_is_made_once(
    service: Api, prepare: Callable[[Api], Request], operation: str
) -> None:
    request = prepare(service)
    service.dynamodb.lose_answer(operation)
    first = request()
    assert first.status in (200, 202, 503)
    consistent(service)
    assert request().status in (200, 202)
    consistent(service)
    assert sum(item["pk"]["S"].startswith("job#") for item in service.items()) == 1


def test_a_cancel_goes_on_through_a_short_fault_unnoticed(service: Api) -> None:
    request = cancel_of_a_queued_job(service)
    service.dynamodb.fail("transact_write_items", client_error("ThrottlingException"), times=3)
    answer = request()
    assert (answer.status, answer.body["status"]) == (200, Status.CANCELLED)


def test_a_row_that_changes_at_every_try_is_503(service: Api) -> None:
    request = cancel_of_a_queued_job(service)
    conflict = client_error("TransactionCanceledException")
    conflict.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    service.dynamodb.fail("transact_write_items", conflict, times=100)
    assert request().status == 503


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ValidationException"])
@pytest.mark.parametrize(
    "prepare", [create, status_of_a_running_job, cancel_of_a_queued_job, a_list], ids=lambda p: p.__name__
)
def test_a_fault_that_will_not_pass_is_500_and_says_nothing_of_itself(
    service: Api, prepare: Callable[[Api], Request], code: str
) -> None:
    request = prepare(service)
    for operation in ("get_item", "transact_write_items", "query"):
        service.dynamodb.fail(operation, client_error(code), times=10)
    answer = request()
    assert (answer.status, answer.code) == (500, "internal_error")
    assert code not in answer.text and "Traceback" not in answer.text


def test_a_job_that_cannot_be_answered_for_is_not_stored(service: Api) -> None:
    """Without the ticket keys there is no `stream_url`: a job nobody was told of would run."""
    service.clients["secrets_manager"].fail("get_secret_value", client_error("InternalServiceError", 500))
    assert service.submit().status == 503
    assert service.items() == [] and service.aws.messages() == []
