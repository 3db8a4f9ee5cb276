"""Status, cancel and ticket of one job."""

from __future__ import annotations

import json

import pytest

from graphjobs.auth.principal import AuthError
from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.auth.tickets import Tickets
from graphjobs.aws.claims import Claim
from graphjobs.core.event import event_line
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import completed, failed
from graphjobs.core.slot import freeze
from graphjobs.core.times import from_rfc3339, rfc3339
from tests.support.api.calls import Answer, Api, open_ticket
from tests.support.backend import Backend


def claimed(aws: Backend, job: Job) -> Claim:
    claim = aws.claims.claim(job.job_id, model=None)
    assert isinstance(claim, Claim)
    return claim


def status(service: Api, job: Job) -> Answer:
    return service.call("GET", f"/jobs/{job.job_id}/status")


def cancel(service: Api, job: Job) -> Answer:
    return service.call("POST", f"/jobs/{job.job_id}/cancel")


def test_the_status_of_a_queued_job(service: Api) -> None:
    job = service.aws.new_job()
    answer = status(service, job)
    assert answer.status == 200
    assert answer.body == {
        "job_id": job.job_id,
        "thread_id": job.job_id.removeprefix("job-"),
        "status": "queued",
        "graph": "chat",
        "created_at": rfc3339(job.created_at),
        "started_at": None,
        "finished_at": None,
        "attempt": 0,
        "last_seq": 0,
        "result": None,
        "interrupts": [],
        "error": None,
        "queue": {"ahead": 0, "of": "owner"},
    }
    assert answer.headers["cache-control"] == "no-store"


def test_the_status_of_a_running_job_says_how_far_its_log_is(service: Api) -> None:
    job = service.aws.new_job()
    claimed(service.aws, job)
    body = status(service, job).body
    assert (body["status"], body["attempt"], body["last_seq"], body["result"]) == ("running", 1, 1, None)
    assert body["started_at"] is not None and body["finished_at"] is None


def test_the_status_of_a_finished_job_has_its_result(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.aws.claims.finish(claim, completed({"answer": "환불"}), claim.tail)
    body = status(service, job).body
    assert (body["status"], body["result"], body["error"]) == ("completed", {"answer": "환불"}, None)
    assert body["last_seq"] == len(service.aws.events(job.job_id)) == 2
    assert body["finished_at"] is not None


def test_the_status_of_a_failed_job_has_its_error(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.aws.claims.finish(claim, failed("graph_error"), claim.tail)
    body = status(service, job).body
    assert (body["status"], body["result"]) == ("failed", None)
    assert body["error"] == {"code": "graph_error", "message": "The graph failed."}


def test_a_result_too_large_for_an_item_is_read_all_the_same(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    noise = [hash((i, "noise")) for i in range(60_000)]
    service.aws.claims.finish(claim, completed(noise), claim.tail)
    assert status(service, job).body["result"] == noise
    assert service.clients["s3"].calls == ["get_object"]


def test_the_status_of_a_running_job_needs_no_body(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    noise = json.dumps([hash((i, "noise")) for i in range(60_000)])
    line = event_line(2, "big", rfc3339(0), noise)
    slot = freeze(job.job_id, 2, [line], nonce=claim.nonce, mark=None, expires_at=job.expires_at)
    service.aws.log.append(slot)
    assert slot.object_key is not None
    assert (status(service, job).body["last_seq"], service.clients["s3"].calls) == (2, [])


def test_a_job_that_ends_between_the_two_reads_is_not_half_ended(service: Api) -> None:
    """The row said running: a result beside it would be one of a job that still runs."""
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.dynamodb.before("query", lambda: service.aws.claims.finish(claim, completed("x"), claim.tail))
    body = status(service, job).body
    assert (body["status"], body["result"], body["finished_at"]) == ("running", None, None)
    assert status(service, job).body["result"] == "x"


def test_a_queued_job_is_cancelled_at_once(service: Api) -> None:
    job = service.aws.new_job()
    answer = cancel(service, job)
    assert (answer.status, answer.body["status"]) == (200, "cancelled")
    log = service.aws.events(job.job_id)
    assert [event["type"] for event in log] == ["metadata", "done"]
    assert log[-1]["data"] == {"status": "cancelled", "result": None}
    assert status(service, job).body["finished_at"] == answer.body["finished_at"] is not None


def test_a_running_job_is_asked_to_stop(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    for _ in range(3):
        answer = cancel(service, job)
        assert (answer.status, answer.body["status"]) == (202, "cancelling")
    assert len(service.aws.events(job.job_id)) == 1, "its worker ends the log, nobody else"
    service.aws.claims.finish(claim, completed("late"), claim.tail)
    answer = cancel(service, job)
    assert (answer.status, answer.body["status"]) == (200, "cancelled")


def test_a_job_whose_worker_is_lost_is_cancelled_at_once(service: Api) -> None:
    job = service.aws.new_job()
    service.aws.clock.advance(-service.aws.settings.lease_seconds - 1)
    claimed(service.aws, job)
    assert cancel(service, job).status == 200
    assert [event["type"] for event in service.aws.events(job.job_id)] == ["metadata", "done"]


@pytest.mark.parametrize("how", [completed("x"), failed("graph_error")])
def test_a_terminal_job_stays_as_it_is(service: Api, how: object) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.aws.claims.finish(claim, how, claim.tail)  # type: ignore[arg-type]
    before = (service.items(), service.aws.events(job.job_id))
    answers = [cancel(service, job) for _ in range(2)]
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].body["status"] == status(service, job).body["status"] != "cancelled"
    assert (service.items(), service.aws.events(job.job_id)) == before


def test_a_cancel_that_meets_a_claim_asks_the_worker(service: Api) -> None:
    job = service.aws.new_job()
    service.dynamodb.before("transact_write_items", lambda: claimed(service.aws, job))
    answer = cancel(service, job)
    assert (answer.status, answer.body["status"]) == (202, "cancelling")
    assert [event["type"] for event in service.aws.events(job.job_id)] == ["metadata"]


def test_a_cancel_that_meets_the_end_changes_nothing(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.dynamodb.before("update_item", lambda: service.aws.claims.finish(claim, completed("x"), claim.tail))
    answer = cancel(service, job)
    assert (answer.status, answer.body["status"]) == (200, "completed")


def test_a_ticket_opens_the_stream_until_it_says(service: Api) -> None:
    job = service.aws.new_job(timeout=1800)
    answer = service.call("POST", f"/jobs/{job.job_id}/stream-ticket")
    assert (answer.status, set(answer.body)) == (200, {"stream_url", "expires_at"})
    expires = from_rfc3339(answer.body["expires_at"]) // 1000
    assert expires == job.deadline_at // 1000 + 600
    open_ticket(service.aws, job.job_id, answer.body["stream_url"], expires - 1)
    with pytest.raises(AuthError, match="ticket_expired"):
        open_ticket(service.aws, job.job_id, answer.body["stream_url"], expires)
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")


def test_a_finished_job_can_still_be_followed(service: Api) -> None:
    job = service.aws.new_job()
    cancel(service, job)
    assert service.call("POST", f"/jobs/{job.job_id}/stream-ticket").status == 200
    row = service.aws.jobs.get(job.job_id)
    assert row is not None and row.status is Status.CANCELLED


@pytest.mark.parametrize("result", [[{"key": "value"}] * 320_000, "환" * 1_700_000], ids=["objects", "Korean"])
def test_a_result_that_fits_into_no_answer_is_said_to_be_on_the_stream(service: Api, result: object) -> None:
    """An event may have 5 MB; as a text within the function's own JSON that is more than Lambda lets through."""
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.aws.claims.finish(claim, completed(result), claim.tail)
    answer = status(service, job)
    assert (answer.status, answer.body["status"], answer.body["result"]) == (200, "completed", None)
    assert answer.body["result_too_large"] is True
    last = answer.body["last_seq"]
    assert answer.body["result_url"].endswith(f"/stream/{job.job_id}?after={last - 1}")
    (done,) = [event for event in service.aws.events(job.job_id) if event["seq"] > last - 1]
    assert done["data"]["result"] == result


def test_a_result_that_just_fits_is_answered(service: Api) -> None:
    job = service.aws.new_job()
    claim = claimed(service.aws, job)
    service.aws.claims.finish(claim, completed("x" * 5_000_000), claim.tail)
    body = status(service, job).body
    assert len(body["result"]) == 5_000_000
    assert "result_too_large" not in body


def test_revoking_takes_every_ticket_that_was_given_and_none_that_comes(service: Api) -> None:
    job = service.aws.new_job()
    path = f"/jobs/{job.job_id}/stream-ticket"
    answer = service.call("DELETE", path)
    assert (answer.status, answer.body) == (200, {"job_id": job.job_id, "tickets_revoked": 1})
    assert service.call("DELETE", path).body["tickets_revoked"] == 2
    ticket = service.call("POST", path).body["stream_url"].partition("?ticket=")[2]
    tickets = Tickets(SecretKeyring(service.aws.secrets, service.aws.settings.ticket_secret))
    assert tickets.check(job.job_id, ticket, service.aws.clock() // 1000) == 2
    assert service.aws.claims.claim(job.job_id, model=None), "a claim leaves the number as it is"
    row = service.aws.jobs.get(job.job_id)
    assert row is not None and row.tickets_revoked == 2


def test_nobody_revokes_the_tickets_of_another(service: Api) -> None:
    job = service.aws.new_job()
    assert service.call("DELETE", f"/jobs/{job.job_id}/stream-ticket", user="user-2").code == "job_not_found"
    row = service.aws.jobs.get(job.job_id)
    assert row is not None and row.tickets_revoked == 0


def test_a_job_that_waits_on_its_thread_knows_its_place_exactly(service: Api) -> None:
    first = service.submit(query="1").body
    turns = [service.submit(query=str(n), thread_id=first["thread_id"]).body["job_id"] for n in (2, 3)]
    for ahead, job_id in enumerate(turns, start=1):
        body = service.call("GET", f"/jobs/{job_id}/status").body
        assert body["queue"] == {"ahead": ahead, "of": "thread"}
    service.call("POST", f"/jobs/{turns[0]}/cancel")
    assert service.call("GET", f"/jobs/{turns[1]}/status").body["queue"] == {"ahead": 1, "of": "thread"}


def test_any_other_queued_job_knows_how_many_of_its_owner_came_before(service: Api) -> None:
    aws = service.aws
    jobs = []
    for owner in ("user-1", "user-1", "user-2", "user-1"):
        aws.clock.advance(1)
        jobs.append(aws.new_job(owner=owner))
    aws.clock.advance(1)
    assert [status(service, job).body["queue"]["ahead"] for job in (jobs[0], jobs[1], jobs[3])] == [0, 1, 2]
    claimed(aws, jobs[0])
    assert status(service, jobs[3]).body["queue"] == {"ahead": 1, "of": "owner"}
    assert status(service, jobs[0]).body["queue"] is None
