"""The calls that change a thread: what is sent, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graphjobs.client.client import Client
from graphjobs.client.errors import ApiError, ConfigurationError, ContractViolation
from tests.unit.client.service import Answer, Service, answer_json, problem

Clients = Callable[..., Client]

PATH = "/threads/t-1"
UNAVAILABLE = problem(503, "temporarily_unavailable", "Try again.", Retry_After="2")
NOT_FOUND = problem(404, "thread_not_found", "There is no such thread.")
CHECKPOINT = {"thread_id": "t-1", "checkpoint_ns": "", "checkpoint_id": "c2"}
UPDATED = {"checkpoint": CHECKPOINT, "configurable": CHECKPOINT, "checkpoint_id": "c2"}


def test_an_update_is_retried_with_the_same_key(client_of: Clients, service: Service) -> None:
    service.script(f"{PATH}/state", UNAVAILABLE, Answer(200, b'{"ch', cut=True), answer_json(UPDATED))
    assert client_of().update_state("t-1", {"n": 1}, as_node="ask", checkpoint_id="c1") == UPDATED
    assert len({seen.headers["idempotency-key"] for seen in service.requests}) == 1
    assert [seen.json for seen in service.requests] == [
        {"values": {"n": 1}, "as_node": "ask", "checkpoint_id": "c1"},
    ] * 3


def test_two_updates_have_two_keys_and_a_given_key_is_kept(client_of: Clients, service: Service) -> None:
    service.script(f"{PATH}/state", *[answer_json(UPDATED)] * 3)
    client = client_of()
    client.update_state("t-1", {"n": 1})
    client.update_state("t-1", [{"n": 1}])
    client.update_state("t-1", None, as_node="ask", idempotency_key="mine")
    first, second, third = (seen.headers["idempotency-key"] for seen in service.requests)
    assert first != second
    assert third == "mine"
    assert [seen.json for seen in service.requests] == [
        {"values": {"n": 1}},
        {"values": [{"n": 1}]},
        {"as_node": "ask"},
    ]
    with pytest.raises(ConfigurationError, match="idempotency key"):
        client.update_state("t-1", {}, idempotency_key="")


@pytest.mark.parametrize(
    ("status", "code"),
    [(409, "thread_busy"), (400, "invalid_update"), (502, "update_failed"), (404, "thread_not_found")],
)
def test_an_update_that_is_refused_is_not_tried_again(
    client_of: Clients, service: Service, status: int, code: str
) -> None:
    service.script(f"{PATH}/state", problem(status, code, "No."))
    with pytest.raises(ApiError) as refused:
        client_of().update_state("t-1", {"n": 1})
    assert (refused.value.status, refused.value.code) == (status, code)
    assert len(service.requests) == 1


def test_a_gateways_502_is_tried_again(client_of: Clients, service: Service) -> None:
    service.script(f"{PATH}/state", answer_json({"message": "Bad Gateway"}, 502), answer_json(UPDATED))
    assert client_of().update_state("t-1", {"n": 1}) == UPDATED


def test_a_thread_is_deleted(client_of: Clients, service: Service) -> None:
    service.script(PATH, Answer(204, b""))
    client_of().delete_thread("t-1")
    assert [(seen.method, seen.path) for seen in service.requests] == [("DELETE", PATH)]


def test_a_thread_that_is_gone_at_a_second_try_was_deleted_by_the_first(client_of: Clients, service: Service) -> None:
    """Given an answer that was lost, when the call is tried again, then the 404 is no error."""
    service.script(PATH, UNAVAILABLE, NOT_FOUND)
    client_of().delete_thread("t-1")
    assert len(service.requests) == 2


def test_a_thread_that_never_was_is_not_deleted(client_of: Clients, service: Service) -> None:
    service.script(PATH, NOT_FOUND)
    with pytest.raises(ApiError) as refused:
        client_of().delete_thread("t-1")
    assert refused.value.code == "thread_not_found"


def test_a_second_try_that_finds_nothing_is_an_error_to_every_other_call(client_of: Clients, service: Service) -> None:
    service.script(PATH, UNAVAILABLE, NOT_FOUND)
    with pytest.raises(ApiError):
        client_of().thread("t-1")


def test_a_deletion_is_answered_with_nothing(client_of: Clients, service: Service) -> None:
    service.script(PATH, answer_json({"thread_id": "t-1"}))
    with pytest.raises(ContractViolation, match="an empty body"):
        client_of().delete_thread("t-1")
