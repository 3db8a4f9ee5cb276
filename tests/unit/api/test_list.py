"""``GET /jobs``: own jobs, newest first, page by page."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest

from graphjobs.api.list_jobs import encode_cursor
from graphjobs.core.job import Status, new_job_id
from tests.support.api.calls import Answer, Api
from tests.support.faults import FAULTS

NOT_LISTED = ("last_seq", "result", "interrupts", "error", "queue")


def listed(service: Api, query: str = "", user: str = "user-1") -> Answer:
    return service.call("GET", f"/jobs?{query}" if query else "/jobs", user=user)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [job["job_id"] for job in answer.body["jobs"]]


def several(service: Api, number: int, **changes: Any) -> list[str]:
    """Ids of new jobs a second apart, newest first."""
    now = service.aws.clock()
    return [service.aws.new_job(created_at=now - 1000 * age, **changes).job_id for age in range(number)]


def joined(found: list[list[str]]) -> list[str]:
    return [job_id for page in found for job_id in page]


def pages(service: Api, query: str) -> list[list[str]]:
    """All pages of a list."""
    found, cursor = [], ""
    while True:
        answer = listed(service, query + (f"&cursor={cursor}" if cursor else ""))
        found.append(ids(answer))
        if answer.body["next_cursor"] is None:
            return found
        cursor = quote(answer.body["next_cursor"], safe="")
        assert len(found) < 50


def test_an_owner_without_jobs_has_an_empty_list(service: Api) -> None:
    service.aws.new_job(owner="user-2")
    answer = listed(service)
    assert answer.body == {"jobs": [], "next_cursor": None}
    assert answer.headers["cache-control"] == "no-store"


def test_a_job_in_the_list_is_its_status_without_the_log(service: Api) -> None:
    job_id = service.submit().body["job_id"]
    whole = service.call("GET", f"/jobs/{job_id}/status").body
    (job,) = listed(service).body["jobs"]
    assert job == {name: whole[name] for name in whole if name not in NOT_LISTED}


def test_the_newest_job_is_first(service: Api) -> None:
    expected = several(service, 5)
    assert ids(listed(service)) == expected


def test_a_list_holds_own_jobs_only(service: Api) -> None:
    mine = several(service, 3)
    yours = several(service, 4, owner="user-2")
    assert ids(listed(service)) == mine
    assert ids(listed(service, user="user-2")) == yours
    assert ids(listed(service, user="user")) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
def test_pages_are_the_list_without_gap_or_repeat(service: Api, limit: int) -> None:
    expected = several(service, 7)
    found = pages(service, f"limit={limit}")
    assert joined(found) == expected
    assert all(len(page) == limit for page in found[:-1])


def test_a_page_is_20_jobs_unless_said_otherwise(service: Api) -> None:
    several(service, 21)
    answer = listed(service)
    assert len(ids(answer)) == 20 and answer.body["next_cursor"]


def test_jobs_of_the_same_millisecond_are_all_listed(service: Api) -> None:
    made = {service.aws.new_job().job_id for _ in range(5)}
    found = joined(pages(service, "limit=2"))
    assert len(found) == 5 and set(found) == made


def test_a_status_filters(service: Api) -> None:
    queued = several(service, 3)
    several(service, 3, status=Status.FAILED)
    completed = several(service, 2, status=Status.COMPLETED)
    assert ids(listed(service, "status=queued")) == queued
    assert ids(listed(service, "status=completed&limit=100")) == completed
    assert ids(listed(service, "status=running")) == []
    assert joined(pages(service, "status=queued&limit=1")) == queued


def test_a_filter_that_matches_little_reads_a_bounded_number_of_pages(service: Api) -> None:
    several(service, 21, status=Status.FAILED)
    last = service.aws.new_job(created_at=service.aws.clock() - 100_000).job_id
    answer = listed(service, "status=queued&limit=1")
    assert ids(answer) == [] and answer.body["next_cursor"]
    assert service.dynamodb.calls.count("query") == 10
    assert joined(pages(service, "status=queued&limit=1")) == [last]


def test_an_expired_job_is_in_no_list(service: Api) -> None:
    several(service, 2, expires_at=service.aws.clock() // 1000)
    alive = several(service, 2)
    assert ids(listed(service)) == alive
    assert joined(pages(service, "limit=1")) == alive


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1.5", "status=done", "status=QUEUED", "cursor=" + "a" * 301],
)
def test_a_parameter_out_of_its_bounds_is_400(service: Api, query: str) -> None:
    answer = listed(service, query)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert service.calls() == []


def text(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


JOB = new_job_id()
TAMPERED: dict[str, str] = {
    "letters": "abc",
    "signs": "!!!!",
    "not ASCII": "é",
    "JSON": "[1,2]",
    "no text": text(b"\xff\xfe"),
    "an object": text({"pk": "x"}),
    "one part": text([JOB]),
    "three parts": text([JOB, f"1#{JOB}", "x"]),
    "numbers": text([1, 2]),
    "null": text(None),
    "another table's key": text([f"idem#{JOB}", f"1#idem#{JOB}"]),
    "two different jobs": text([JOB, f"1700000000000#{new_job_id()}"]),
    "no time": text([JOB, f"#{JOB}"]),
    "a time that is no number": text([JOB, f"x#{JOB}"]),
    "no separator": text([JOB, f"1700000000000{JOB}"]),
    "nested deep": text(b"[" * 200),
    "cut short": encode_cursor((JOB, f"1700000000000#{JOB}"))[:-6],
}


@pytest.mark.parametrize("cursor", TAMPERED.values(), ids=TAMPERED)
def test_a_cursor_that_no_list_gave_is_400(service: Api, cursor: str) -> None:
    answer = listed(service, f"cursor={quote(cursor)}")
    assert (answer.status, answer.code) == (400, "invalid_cursor")
    assert service.calls() == []


def test_a_cursor_of_another_owner_opens_no_list_of_theirs(service: Api) -> None:
    yours = several(service, 5, owner="user-2")
    cursor = quote(listed(service, "limit=1", user="user-2").body["next_cursor"], safe="")
    mine = several(service, 2)
    answer = listed(service, f"cursor={cursor}")
    assert set(ids(answer)) <= set(mine) and not set(ids(answer)) & set(yours)


def test_a_fault_between_two_pages_is_503_and_not_a_short_list(service: Api) -> None:
    several(service, 4, status=Status.FAILED)
    service.dynamodb.before("query", lambda: service.dynamodb.fail("query", FAULTS["throttled"]()))
    answer = listed(service, "status=queued&limit=1")
    assert (answer.status, answer.code) == (503, "temporarily_unavailable")
