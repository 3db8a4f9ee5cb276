"""A job's input: read before the claim, and a job whose input is gone says so."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.faults import FAULTS
from tests.support.worker.checks import check_sound
from tests.support.worker.gate import Trouble
from tests.support.worker.rig import Rig


def events(workers: Rig, job: Any) -> list[str]:
    return [event["type"] for event in workers.events(job)]


def test_an_input_that_cannot_be_read_costs_no_attempt(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    gate = Trouble("worker.GetItem", FAULTS["internal"](), nth=1, times=1)
    with pytest.raises(ClientError):
        workers.worker(gate).process(job)
    assert (workers.row(job).epoch, events(workers, job)) == (0, [])
    workers.worker().process(job)
    assert workers.row(job).attempt == 1
    assert "attempt" not in events(workers, job) and events(workers, job)[-1] == "done"


def test_a_job_whose_input_is_gone_fails_in_place_of_running_on_nothing(workers: Rig) -> None:
    job = workers.job("rounds", {"rounds": 1})
    workers.aws.dynamodb.delete_item(TableName="jobs", Key={"pk": {"S": f"input#{job.job_id}"}})
    worker = workers.worker()
    worker.process(job)
    check_sound(workers.events(job), workers.row(job))
    assert workers.events(job)[-1]["data"]["error"]["code"] == "input_missing"
    assert [line.get("code") for line in worker.logged if line["message"] == "finished"] == ["input_missing"]


def test_the_end_of_a_job_is_counted_without_reading_it_again(workers: Rig) -> None:
    """What the claim ended, and what the graph failed with: the code comes from what was committed."""
    late = workers.job("rounds", {"rounds": 1}, timeout=10)
    workers.aws.clock.now = late.deadline_at
    gate = Trouble("", RuntimeError())
    worker = workers.worker(gate)
    worker.process(late)
    assert [line.get("code") for line in worker.logged if line["message"] == "finished"] == ["timed_out"]
    assert gate.calls == ["worker.GetItem", "worker.GetItem", "worker.TransactWriteItems"]  # input, row, end
