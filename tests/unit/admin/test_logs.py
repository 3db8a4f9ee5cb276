"""`graphjobs logs`: one job's life, from its row, its events and the lines that were logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from graphjobs.aws import clients
from graphjobs.core.job import Release
from graphjobs.core.outcome import Cause, completed, failed
from graphjobs.core.times import now_ms, rfc3339
from graphjobs.local.supervisor import _worker_settings
from graphjobs.testing.aws import client
from tests.support.backend import Backend
from tests.support.operator import Operator
from tests.support.stack import WORKER_LOGS, make_stack
from tests.unit.lifecycle.steps import claimed, lapse

STACK = "graphjobs-test"


@pytest.fixture
def logs(aws: Backend, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(capsys, ("logs",))


@pytest.fixture
def deployed(aws: Backend) -> Backend:
    """The backend, of a stack with log groups."""
    make_stack(STACK, {name: value for name, value in aws.environ.items() if name.startswith("GRAPHJOBS_")})
    for group in (WORKER_LOGS, "of the API"):
        client("logs").create_log_stream(logGroupName=group, logStreamName="one")
    aws.clock.now = now_ms() - 7_200_000  # what is of the future CloudWatch does not take
    return aws


def write(at: int, group: str = WORKER_LOGS, **members: Any) -> None:
    """One line, as Lambda has it."""
    event = {"timestamp": at, "message": json.dumps(members)}
    answer = client("logs").put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
    assert "rejectedLogEventsInfo" not in answer


def moments(ran_out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran_out.splitlines()]


def test_row_and_events_tell_of_attempts_and_why_they_ended(aws: Backend, logs: Operator) -> None:
    job = aws.new_job(owner="alice")
    aws.clock.advance(1)
    claimed(aws, job)
    lapse(aws)
    aws.claims.release(claimed(aws, job), Release.HANDOFF, None)
    aws.clock.advance(1)
    claim = claimed(aws, job)
    aws.clock.advance(1)
    aws.claims.finish(claim, failed("graph_error", Cause("KeyError", where="model", text="hello")), claim.tail)
    told = moments(logs(job.job_id, "--json").out)
    assert [(each["source"], each["what"]) for each in told] == [
        ("row", "created"),
        ("events", "metadata"),
        ("events", "attempt"),
        ("events", "attempt"),
        ("row", "failed"),
        ("events", "error"),
        ("events", "done"),
    ]
    assert (told[0]["owner"], told[0]["graph"]) == ("alice", "chat")
    assert [(each["attempt"], each["reason"]) for each in told[2:4]] == [(2, "crash"), (2, "handoff")]
    assert (told[4]["attempt"], told[4]["epoch"], told[4]["handoffs"]) == (2, 3, 1)
    assert (told[5]["code"], told[5]["type"], told[5]["where"]) == ("graph_error", "KeyError", "model")


def test_nothing_of_what_was_written_or_answered_is_shown(aws: Backend, logs: Operator) -> None:
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed({"answer": "a secret"}), claim.tail)
    for options in ([], ["--json"]):
        out = logs(job.job_id, *options).out
        assert "completed" in out
        assert "secret" not in out
        assert "hello" not in out


def test_a_person_reads_one_line_a_moment(aws: Backend, logs: Operator) -> None:
    job = aws.new_job(owner="alice")
    aws.clock.advance(1.5)
    claimed(aws, job)
    ran = logs(job.job_id)
    assert ran.out.splitlines() == [
        "2027-01-15",
        f"08:00:00.000  row     created  owner=alice graph=chat thread_id={job.thread}",
        "08:00:01.500  events  metadata  seq=1 graph=chat",
    ]
    assert ran.err == "Log lines are not looked for: give --stack, or be in the folder of a local instance.\n"


def test_of_a_stack_it_has_the_lines_that_name_the_job_and_no_others(deployed: Backend, logs: Operator) -> None:
    job, other = deployed.new_job(), deployed.new_job()
    at = job.created_at
    write(at + 2000, service="worker", level="ERROR", message="graph failed", job_id=job.job_id, exception="Trace\n  x")
    write(at + 1000, service="worker", level="INFO", message="claimed", job_id=job.job_id, epoch=1, attempt=1)
    write(at + 1000, service="worker", level="INFO", message="claimed", job_id=other.job_id)
    write(at - 3_600_000, service="worker", level="INFO", message="before it was", job_id=job.job_id)
    write(at + 1000, "of the API", message="of no function", job_id=job.job_id)
    deployed.clock.advance(60)
    told = moments(logs(job.job_id, "--stack", STACK, "--json").out)
    assert [(each["source"], each["what"]) for each in told] == [
        ("row", "created"),
        ("worker", "claimed"),
        ("worker", "graph failed"),
    ]
    assert (told[1]["epoch"], told[1]["attempt"]) == (1, 1)
    assert (told[2]["level"], told[2]["below"]) == ("ERROR", ["Trace", "  x"])
    assert "\n    Trace\n      x" in logs(job.job_id, "--stack", STACK).out


def test_of_an_invocation_that_broke_off_it_has_what_lambda_says(deployed: Backend, logs: Operator) -> None:
    job = deployed.new_job()
    at, line = job.created_at, {"service": "worker", "level": "INFO", "job_id": job.job_id}
    for request in ("broke", "went-well"):
        write(at + 1000, message="claimed", function_request_id=request, **line)
        record = {"requestId": request, "status": "timeout" if request == "broke" else "success"}
        write(
            at + 9000, time=rfc3339(at), type="platform.report", record={**record, "metrics": {"maxMemoryUsedMB": 90}}
        )
        write(at + 900, time=rfc3339(at), type="platform.start", record=record)
    write(at + 2000, message="finished", function_request_id="went-well", **line)
    deployed.clock.advance(60)
    told = moments(logs(job.job_id, "--stack", STACK, "--json").out)
    (report,) = (each for each in told if each["what"].startswith("platform"))
    assert report == {
        "at": rfc3339(at + 9000),
        "source": "lambda",
        "what": "platform.report",
        "requestId": "broke",
        "status": "timeout",
        "maxMemoryUsedMB": 90,
    }
    assert {each["request"] for each in told if each["what"] == "claimed"} == {"broke", "went-well"}


def test_of_a_local_instance_it_has_the_lines_of_its_processes(
    aws: Backend, logs: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, other = aws.new_job(), aws.new_job()
    for name in aws.environ:
        monkeypatch.delenv(name)
    monkeypatch.setenv(clients.ENDPOINT_VARIABLE, "")  # so that what is set is taken back
    folder = tmp_path / ".graphjobs"
    (folder / "logs").mkdir(parents=True)
    facts = {"aws_endpoint_url": "http://127.0.0.1:1", "settings": _worker_settings(aws.environ)}
    (folder / "local.json").write_text(json.dumps(facts), encoding="utf-8")
    line = {"level": "INFO", "service": "worker", "timestamp": rfc3339(job.created_at + 1000)}
    lines = [
        json.dumps({**line, "message": "claimed", "job_id": job.job_id}),
        json.dumps({**line, "message": "claimed", "job_id": other.job_id}),
        f"a graph prints {job.job_id}",
        '{"broken',
    ]
    (folder / "logs" / "worker-2.log").write_text("\n".join(lines), encoding="utf-8")
    told = moments(logs(job.job_id, "--json").out)
    assert [(each["source"], each["what"]) for each in told] == [("row", "created"), ("worker-2", "claimed")]


def test_no_such_job_is_one_line(logs: Operator) -> None:
    ran = logs("job-1")
    assert (ran.code, ran.err) == (1, "graphjobs: There is no job job-1.\n")
