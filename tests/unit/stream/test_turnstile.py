"""How many may look on: per job and per owner, counted at open, while the job is not over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from graphjobs.aws.viewer_counts import ViewerCounts
from graphjobs.core.job import Status
from tests.support.backend import Backend, backend
from tests.support.faults import client_error
from tests.support.stream.app import Connection, Streams, run, streams

WINDOW = 120.0


@pytest.fixture
def app() -> Iterator[Streams]:
    with streams(window=WINDOW, viewers=(2, 3)) as app:
        app.clock.advance(WINDOW - app.clock() / 1000 % WINDOW + 20)  # 20 s into a stretch
        yield app


async def opened(app: Streams, job_id: str) -> Connection:
    return await app.follow(job_id).until(lambda c: c.status and c.body)


def test_one_too_many_of_a_job_is_told_when_to_come_again(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        seen = [await opened(app, script.job_id) for _ in range(2)]
        refused = await app.request(f"/stream/{script.job_id}", app.bearer()).end()
        assert refused.problem() == (429, "too_many_viewers") and refused.headers["retry-after"] == "100"
        script.done()
        for each in seen:
            await each.end()
            assert [event["type"] for event in each.events] == ["done"]

    run(work())


def test_who_has_a_ticket_is_asked_to_come_again_since_eventsource_takes_no_other_status(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        seen = [await opened(app, script.job_id) for _ in range(2)]
        refused = await app.follow(script.job_id).end()
        assert (refused.status, bytes(refused.body)) == (200, b"retry: 100000\n")
        script.done()
        for each in seen:
            await each.end()

    run(work())


def test_an_owner_is_counted_over_all_jobs(app: Streams) -> None:
    async def work() -> None:
        scripts = [app.job() for _ in range(4)]
        seen = [await opened(app, script.job_id) for script in scripts[:3]]
        refused = await app.request(f"/stream/{scripts[3].job_id}", app.bearer()).end()
        assert refused.status == 429
        other = app.job(owner="user-2")
        seen.append(await opened(app, other.job_id))
        assert seen[-1].status == 200
        for script in (*scripts, other):
            script.done()
        for each in seen:
            await each.end()

    run(work())


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.FAILED])
def test_the_stream_of_a_job_that_is_over_is_never_counted(app: Streams, status: Status) -> None:
    async def work() -> None:
        script = app.job(status=status)
        script.done()
        for _ in range(5):
            assert len((await app.follow(script.job_id).end()).events) == 1
        assert app.rows.opens == {}

    run(work())


def test_a_head_request_and_a_refused_one_are_not_counted(app: Streams) -> None:
    async def work() -> None:
        script = app.job()
        await app.request(f"/stream/{script.job_id}", app.bearer(), method="HEAD").end()
        await app.request(f"/stream/{script.job_id}", app.bearer("user-2")).end()
        await app.request(f"/stream/{script.job_id}").end()
        assert app.rows.opens == {}

    run(work())


def test_a_counter_that_fails_lets_everybody_pass(app: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: object, **named: object) -> bool:
        raise client_error("ProvisionedThroughputExceededException")

    monkeypatch.setattr(app.rows, "admit", fails)

    async def work() -> None:
        script = app.job()
        seen = [await opened(app, script.job_id) for _ in range(4)]
        script.done()
        for each in seen:
            assert len((await each.end()).events) == 1

    run(work())


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend() as fresh:
        yield fresh


def test_the_counter_is_exact_and_begins_anew_with_each_stretch(aws: Backend) -> None:
    counts = ViewerCounts(aws.dynamodb, "jobs")
    answers = [counts.admit("job-1", 3, now=now, stretch_ms=1000) for now in (0, 1, 500, 999, 1000)]
    assert answers == [True, True, True, False, True]
    assert counts.admit("owner\0job-1", 3, now=999, stretch_ms=1000), "another subject"
    items = aws.dynamodb.scan(TableName="jobs")["Items"]
    assert len(items) == 3 and all("expires_at" in item for item in items)
    assert "job-1" not in str(items), "whom a counter is of is not to be read in it"


def test_of_many_at_once_no_more_than_the_limit_are_admitted(aws: Backend) -> None:
    counts, admitted = ViewerCounts(aws.dynamodb, "jobs"), []

    def open_one() -> None:
        admitted.append(counts.admit("job-1", 5, now=0, stretch_ms=1000))

    threads = [threading.Thread(target=open_one) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 5
