"""``POST /jobs``: what an accepted job is, and that a retry of it is the same job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphjobs.aws.input_bodies import INLINE_BYTES
from graphjobs.core.job import Status, is_job_id
from graphjobs.core.run_request import RunConfig, RunRequest
from graphjobs.core.times import from_rfc3339, now_ms
from tests.support.api.calls import Api, api, open_ticket
from tests.support.backend import Backend
from tests.support.faults import client_error


def test_an_accepted_job_is_202_with_its_addresses(service: Api) -> None:
    answer = service.submit()
    assert answer.status == 202
    assert list(answer.body) == [
        "job_id",
        "thread_id",
        "status",
        "status_url",
        "cancel_url",
        "stream_url",
        "created_at",
        "expires_at",
    ]
    job_id = answer.body["job_id"]
    assert is_job_id(job_id)
    assert answer.body["status"] == "queued"
    assert answer.body["status_url"] == f"https://api.example.test/jobs/{job_id}/status"
    assert answer.body["cancel_url"] == f"https://api.example.test/jobs/{job_id}/cancel"
    open_ticket(service.aws, job_id, answer.body["stream_url"], now_ms() // 1000)
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "idempotent-replayed" not in answer.headers


def test_the_row_has_its_deadline_its_expiry_and_its_message(service: Api) -> None:
    before = now_ms()
    answer = service.submit(query="hello", timeout_seconds=60)
    job = service.aws.jobs.get(answer.body["job_id"])
    assert job is not None
    assert before <= job.created_at <= now_ms()
    assert job.deadline_at == job.created_at + 60_000
    assert job.expires_at == job.deadline_at // 1000 + service.aws.settings.retention_seconds
    assert (job.owner, job.graph, job.status, job.epoch, job.attempt) == ("user-1", "chat", Status.QUEUED, 0, 0)
    assert job.sent_at is not None and job.sent_at >= job.created_at and job.sends == 1
    assert from_rfc3339(answer.body["created_at"]) == job.created_at
    assert from_rfc3339(answer.body["expires_at"]) == job.expires_at * 1000
    assert [json.loads(message["Body"]) for message in service.aws.messages()] == [{"job_id": job.job_id}]


def test_the_worker_is_given_what_was_asked_for_and_nothing_else(service: Api) -> None:
    answer = service.submit(query="환불", input={"a": [1, None]}, metadata={"m": 1.5}, user_id="user-1", graph="report")
    stored = service.aws.jobs.input(answer.body["job_id"])
    assert json.loads(stored or "") == {"query": "환불", "input": {"a": [1, None]}, "metadata": {"m": 1.5}}


def test_context_and_config_reach_the_worker(service: Api) -> None:
    config = {"recursion_limit": 5.0, "tags": ["a"], "configurable": {"model": "m"}}
    answer = service.submit(input="text", config=config, context={})
    assert answer.status == 202
    request = RunRequest.from_json(service.aws.jobs.input(answer.body["job_id"]) or "")
    expected = RunConfig(recursion_limit=5, tags=("a",), configurable={"model": "m"})
    assert (request.input, request.context, request.config) == ("text", {}, expected)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"query": " \n"}, "query must not be empty"),
        (
            {"query": "q", "config": {"configurable": {"user_id": "x", "__y": 1}}},
            "not hold __y, user_id: reserved",
        ),
        ({"query": "q", "context": {"a": 1}, "config": {"configurable": {"b": 1}}}, "not both"),
        ({"input": None}, "give a query or an input"),
    ],
)
def test_what_no_door_accepts_is_refused_with_the_reason(service: Api, members: dict[str, Any], reason: str) -> None:
    answer = service.submit(**members)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert reason in answer.body["detail"]
    assert service.items() == []


@pytest.mark.parametrize("char", ["x", "가"])
def test_a_large_input_is_what_the_worker_is_given(service: Api, char: str) -> None:
    picture = char * (4_000_000 // len(char.encode()))
    body = json.dumps({"input": {"picture": picture}}, ensure_ascii=False).encode()
    answer = service.call("POST", "/jobs", body=body, headers={"idempotency-key": "k"})
    assert answer.status == 202
    stored = service.aws.jobs.input(answer.body["job_id"])
    assert json.loads(stored or "") == {"input": {"picture": picture}}
    again = service.call("POST", "/jobs", body=body, headers={"idempotency-key": "k"})
    assert (again.status, again.body["job_id"]) == (200, answer.body["job_id"])


def test_an_input_that_fits_an_item_makes_no_object(service: Api) -> None:
    members = len('{"input":""}')
    service.submit(input="x" * (INLINE_BYTES - members))
    assert service.clients["s3"].calls == []
    service.submit(input="x" * (INLINE_BYTES - members + 1))
    assert service.clients["s3"].calls == ["put_object"]


def test_a_timeout_above_the_limit_is_the_limit(service: Api) -> None:
    job = service.aws.jobs.get(service.submit(query="x", timeout_seconds=10**9).body["job_id"])
    assert job is not None
    assert job.deadline_at == job.created_at + service.aws.settings.max_timeout_seconds * 1000


@pytest.mark.parametrize("number", [b"60.0", b"6e1", b"60.000", b"600E-1"])
def test_an_integer_is_one_however_json_writes_it(service: Api, number: bytes) -> None:
    plain = service.submit(key="k", query="a", timeout_seconds=60)
    headers = {"idempotency-key": "k"}
    answer = service.call("POST", "/jobs", body=b'{"query": "a", "timeout_seconds": %s}' % number, headers=headers)
    assert (answer.status, answer.body["job_id"]) == (200, plain.body["job_id"]), "the same body"
    row = service.aws.jobs.get(plain.body["job_id"])
    assert row is not None and row.deadline_at - row.created_at == 60_000


def test_the_address_of_the_api_may_be_set(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    with api(aws, monkeypatch, GRAPHJOBS_API_URL="https://jobs.example.test/v1/") as service:
        body = service.submit().body
        assert body["status_url"] == f"https://jobs.example.test/v1/jobs/{body['job_id']}/status"


def test_user_id_that_is_not_the_caller_is_refused(service: Api) -> None:
    assert service.submit(query="x", user_id="user-1").status == 202
    answer = service.submit(query="x", user_id="user-2")
    assert (answer.status, answer.code) == (403, "user_mismatch")


def test_without_a_subject_nothing_is_accepted(service: Api) -> None:
    for user in (None, ""):
        answer = service.call("POST", "/jobs", body={"query": "x"}, user=user)
        assert (answer.status, answer.code) == (401, "unauthorized")
    assert service.items() == []


def test_the_same_key_and_body_is_the_same_job(service: Api) -> None:
    first = service.submit(query="hello", metadata={"a": 1, "b": 2}, key="k")
    again = service.submit(metadata={"b": 2, "a": 1}, query="hello", key="k")
    assert (first.status, again.status) == (202, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert {**again.body, "stream_url": ""} == {**first.body, "stream_url": ""}
    open_ticket(service.aws, again.body["job_id"], again.body["stream_url"], now_ms() // 1000)
    assert len(service.items()) == 3 and len(service.aws.messages()) == 1


def test_a_replay_says_what_became_of_the_job(service: Api) -> None:
    job_id = service.submit(key="k").body["job_id"]
    service.call("POST", f"/jobs/{job_id}/cancel")
    again = service.submit(key="k")
    assert (again.status, again.body["job_id"], again.body["status"]) == (200, job_id, "cancelled")
    assert len(service.aws.messages()) == 1


def test_the_same_key_with_another_body_is_422(service: Api) -> None:
    service.submit(query="hello", key="k")
    for other in ({"query": "other"}, {"query": "hello", "timeout_seconds": 5}, {"query": "hello", "graph": "chat"}):
        answer = service.submit(**other, key="k")
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert len(service.items()) == 3


def test_keys_of_different_owners_are_different_keys(service: Api) -> None:
    mine = service.submit(key="k", user="user-1")
    yours = service.submit(key="k", user="user-2", query="another body")
    assert (mine.status, yours.status) == (202, 202)
    assert mine.body["job_id"] != yours.body["job_id"]


def test_without_a_key_every_request_is_a_job(service: Api) -> None:
    assert service.submit().body["job_id"] != service.submit().body["job_id"]


def test_a_key_counts_no_longer_once_its_job_has_expired(service: Api) -> None:
    first = service.submit(key="k").body["job_id"]
    past = {":past": {"N": str(now_ms() // 1000 - 1)}}
    for item in service.items():
        service.aws.dynamodb.update_item(
            TableName="jobs",
            Key={"pk": item["pk"]},
            UpdateExpression="SET expires_at = :past",
            ExpressionAttributeValues=past,
        )
    second = service.submit(query="another body", key="k")
    assert second.status == 202 and second.body["job_id"] != first


@pytest.mark.parametrize("key", ["", " ", "a b", "a" * 256, "é", "a\nb", "\x7f"])
def test_a_malformed_key_is_refused(service: Api, key: str) -> None:
    answer = service.call("POST", "/jobs", body={"query": "x"}, headers={"idempotency-key": key})
    assert (answer.status, answer.code) == (400, "invalid_idempotency_key")
    assert service.items() == []


def test_a_job_that_could_not_be_sent_is_503_and_a_retry_with_the_same_key_sends_it(service: Api) -> None:
    service.sqs.fail("send_message", client_error("ServiceUnavailable", 503))
    failed = service.submit(key="k")
    assert (failed.status, failed.code) == (503, "temporarily_unavailable")
    assert int(failed.headers["retry-after"]) > 0
    assert service.aws.messages() == []
    retried = service.submit(key="k")
    assert retried.status == 200
    assert [json.loads(m["Body"])["job_id"] for m in service.aws.messages()] == [retried.body["job_id"]]
    job = service.aws.jobs.get(retried.body["job_id"])
    assert job is not None and job.sent_at is not None
    assert len(service.items()) == 3


def test_a_job_that_could_not_be_sent_is_soon_due_for_the_reconciler(service: Api) -> None:
    service.sqs.fail("send_message", client_error("ServiceUnavailable", 503))
    service.submit()
    soon = now_ms() + 15_000
    assert sum(len(service.aws.jobs.lists.due(shard, soon, limit=9)[0]) for shard in range(4)) == 1


def test_a_worker_that_is_faster_than_the_note_of_sending_changes_nothing(service: Api) -> None:
    service.dynamodb.before("update_item", lambda: _claim_the_only_job(service))
    answer = service.submit()
    assert answer.status == 202
    job = service.aws.jobs.get(answer.body["job_id"])
    assert job is not None and (job.status, job.epoch) == (Status.RUNNING, 1)


def _claim_the_only_job(service: Api) -> None:
    (row,) = [item for item in service.items() if item["pk"]["S"].startswith("job#")]
    service.aws.claims.claim(row["job_id"]["S"], model=None)


def test_a_lost_answer_of_the_transaction_makes_one_job(service: Api) -> None:
    """botocore repeats the call: its idempotency record is then there already, and is its own."""
    transact = service.aws.dynamodb.transact_write_items
    repeated: list[None] = []

    def twice(**arguments: object) -> object:
        transact(**arguments)
        repeated.append(None)
        return transact(**arguments)

    vars(service.dynamodb)["transact_write_items"] = twice
    answer = service.submit(key="k")
    assert answer.status == 202 and repeated
    assert len(service.items()) == 3 and len(service.aws.messages()) == 1


def test_a_job_too_many_is_429_until_one_has_ended(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    with api(aws, monkeypatch, GRAPHJOBS_MAX_ACTIVE_JOBS="2") as service:
        first = service.submit(key="first")
        assert (first.status, service.submit().status) == (202, 202)
        refused = service.submit(key="third")
        assert (refused.status, refused.code, refused.headers["retry-after"]) == (429, "too_many_active_jobs", "5")
        assert service.submit(user="user-2").status == 202, "somebody else's are not counted"
        assert service.submit(key="first").status == 200, "a retry of one that is there is no job more"
        service.call("POST", f"/jobs/{first.body['job_id']}/cancel")
        assert service.submit(key="third").status == 202
