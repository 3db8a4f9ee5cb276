"""The note that somebody follows a job: it changes nothing else of the row, and nobody has to try again for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphjobs.aws.claims import Claims
from graphjobs.core.change import Applied
from graphjobs.core.job import Status
from graphjobs.core.outcome import completed
from tests.support.backend import Backend, transitions_of
from tests.support.faults import Faults
from tests.unit.lifecycle.steps import claimed, row, types


def test_the_worker_reads_it_and_it_stays_over_claims(aws: Backend) -> None:
    job = aws.new_job()
    assert aws.jobs.note_watched(job.job_id, 1_234)
    assert row(aws, job) == replace(job, watched_until=1_234)
    claim = claimed(aws, job)
    assert claim.job.watched_until == 1_234
    assert aws.jobs.note_watched(job.job_id, 5_678)
    seen = aws.jobs.peek(job.job_id)
    assert seen == replace(claim.job, watched_until=5_678)


def test_a_row_that_is_over_or_gone_is_left_as_it_is(aws: Backend) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed("x"), claim.tail)
    over = row(aws, job)
    assert not aws.jobs.note_watched(job.job_id, 1)
    assert row(aws, job) == over
    assert not aws.jobs.note_watched("job-none", 1)
    assert aws.jobs.get("job-none") is None


@pytest.mark.parametrize("action", ["claim", "finish"])
def test_between_read_and_commit_it_disturbs_nobody(aws: Backend, action: str) -> None:
    job = aws.new_job()
    faults = Faults(aws.dynamodb)
    claims = Claims(
        aws.jobs,
        transitions_of(faults.client, aws.jobs, aws.log, aws.clock),
        aws.settings,
        clock=aws.clock,
    )
    held = claimed(aws, job) if action == "finish" else None
    faults.before("transact_write_items", lambda: aws.jobs.note_watched(job.job_id, 7))
    if held is not None:
        assert isinstance(claims.finish(held, completed("x"), held.tail), Applied)
        assert types(aws, job)[-1] == "done" and row(aws, job).status is Status.COMPLETED
    else:
        claims.claim(job.job_id, model=None)
        assert row(aws, job).epoch == 1
    assert row(aws, job).watched_until == 7
    assert faults.calls.count("transact_write_items") == 1, "nothing was tried again"
