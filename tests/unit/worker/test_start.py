"""The start of a worker that fails: what it costs the job in hand, and what is left behind."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphjobs.aws.job_store import JobStore
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import CANCELLED, Cause
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms
from graphjobs.local.emulator import make_app, make_emulator
from graphjobs.local.lambda_context import LambdaContext
from graphjobs.local.poller import sqs_event
from graphjobs.local.resources import CREDENTIALS, ENDPOINT_VARIABLE, client, create_resources
from graphjobs.observability import logger as make_logger
from graphjobs.worker.start import EXIT_CODE, Start, look_after
from tests.support.backend import Backend, backend

CONTEXT = LambdaContext("worker", 0)
ARN = "arn:aws:sqs:us-east-1:123456789012:jobs"
MAX_STARTS = Settings().max_starts


def fails() -> Any:
    raise RuntimeError("GRAPHJOBS_X is not set.")


@pytest.fixture
def aws() -> Iterator[Backend]:
    with backend(in_memory=True) as fresh:
        yield fresh


@pytest.fixture
def received(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Job, dict[str, Any]]]:
    """A job, and the event with its message, which has been received so many times and is hidden for 930 s."""
    for name, value in aws.environ.items():
        monkeypatch.setenv(name, value)

    def make(times: int = 1, **changes: Any) -> tuple[Job, dict[str, Any]]:
        aws.messages()
        aws.clock.now = now_ms()
        job = aws.new_job(**changes)
        aws.queue.send(job.job_id, job.owner)
        (message,) = aws.sqs.receive_message(
            QueueUrl=aws.settings.queue_url, AttributeNames=["All"], VisibilityTimeout=930
        )["Messages"]
        message["Attributes"]["ApproximateReceiveCount"] = str(times)
        return job, sqs_event(message, ARN)

    return make


@pytest.fixture
def hidden(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how long messages were hidden."""
    seen: list[int] = []
    monkeypatch.setattr(
        "graphjobs.worker.start.JobQueue.set_visibility", lambda self, receipt, seconds: seen.append(seconds)
    )
    return seen


def metric(text: str, name: str) -> float:
    """The sum of a metric in what was printed."""
    lines = [json.loads(line) for line in text.splitlines()]
    return sum(sum(line[name]) for line in lines if name in line)


def messages(aws: Backend) -> tuple[str, str]:
    """How many messages wait, and how many are hidden."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = aws.sqs.get_queue_attributes(QueueUrl=aws.settings.queue_url, AttributeNames=names)["Attributes"]
    return found[names[0]], found[names[1]]


def row(aws: Backend, job: Job) -> Job:
    found = aws.jobs.get(job.job_id)
    assert found is not None
    return found


def start(tmp_path: Path, begin: Callable[[], Any], exits: list[int] | None = None) -> Start:
    """A process in the environment `tmp_path`, whose init phase is over."""
    made = Start(begin, begun=tmp_path / "begun", exit=(exits if exits is not None else []).append)
    made.at_init()
    return made


@pytest.mark.parametrize(("times", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 30), (90, 30)])
def test_a_message_comes_back_within_seconds(
    aws: Backend, received: Any, hidden: list[int], tmp_path: Path, times: int, seconds: int
) -> None:
    job, event = received(times)
    exits: list[int] = []
    answer = start(tmp_path, fails, exits).handle(event, CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["messageId"]}]}
    assert hidden == [seconds]
    assert exits == [EXIT_CODE], "the next start begins with nothing of this one"
    assert row(aws, job).start_failures == 1


@pytest.mark.parametrize("limit", [MAX_STARTS, 1, 3])
def test_the_last_start_ends_the_job_and_says_why_in_one_line(
    aws: Backend,
    received: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    if limit != MAX_STARTS:
        monkeypatch.setenv("GRAPHJOBS_MAX_STARTS", str(limit))
    logged = io.StringIO()
    monkeypatch.setattr("graphjobs.worker.start.logger", make_logger(f"worker-of-a-test-{limit}", logged))
    job, event = received(start_failures=limit - 1)
    answer = start(tmp_path, fails).handle(event, CONTEXT)
    assert answer == {"batchItemFailures": []}
    assert messages(aws) == ("0", "0"), "deleted here, since the process ends before Lambda could do it"
    error = {"code": "worker_init", "message": "No worker could be started for the job.", "type": "RuntimeError"}
    assert aws.events(job.job_id)[-1]["data"] == {"status": "failed", "result": None, "error": error}
    printed = capsys.readouterr().out
    (line,) = [line for line in map(json.loads, logged.getvalue().splitlines()) if line.get("job_id") == job.job_id]
    assert "GRAPHJOBS_X is not set." in line["cause"] and (line["level"], line["code"]) == ("ERROR", "worker_init")
    assert metric(printed, "StartFailures") == metric(printed, "JobsFailed") == 1


def test_every_try_before_the_last_leaves_the_job_to_a_later_worker(
    aws: Backend, received: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job, event = received()
    for number in range(1, MAX_STARTS):
        start(tmp_path, fails).handle(event, CONTEXT)
        assert row(aws, job).start_failures == number and not row(aws, job).status.terminal
    assert metric(capsys.readouterr().out, "StartFailures") == MAX_STARTS - 1
    aws.claims.claim(job.job_id, model=None)
    assert row(aws, job).start_failures == 0, "a worker that starts forgives those that did not"


def test_a_worker_that_starts_is_made_once_and_asked_ever_after(received: Any, tmp_path: Path) -> None:
    _, event = received()
    made: list[int] = []

    def begin() -> Any:
        made.append(1)
        return lambda event, context: {"batchItemFailures": [], "given": event}

    started = start(tmp_path, begin)
    assert [started.handle(event, CONTEXT)["given"] for _ in range(2)] == [event, event]
    assert made == [1] and list(tmp_path.iterdir()) == []


def test_the_process_of_a_start_that_failed_tries_no_second_time(received: Any, tmp_path: Path) -> None:
    """What the first try has set up, such as the project's working directory, is not what a start begins with."""
    tries: list[int] = []
    made = start(tmp_path, lambda: tries.append(1) or fails())
    for _ in range(2):
        made.handle(received()[1], CONTEXT)
    assert tries == [1]


@pytest.mark.parametrize("state", ["terminal", "held", "waiting"])
def test_a_job_that_is_not_to_run_is_not_counted_and_its_message_is_gone(
    aws: Backend, received: Any, tmp_path: Path, state: str
) -> None:
    job, event = received(waiting=state == "waiting")
    if state == "held":
        aws.claims.claim(job.job_id, model=None)
    if state == "terminal":
        claim: Any = aws.claims.claim(job.job_id, model=None)
        aws.claims.finish(claim, CANCELLED, claim.tail)
    before = (row(aws, job), aws.events(job.job_id))
    assert start(tmp_path, fails).handle(event, CONTEXT) == {"batchItemFailures": []}
    assert (row(aws, job), aws.events(job.job_id)) == before
    assert messages(aws) == ("0", "0")


@pytest.mark.parametrize("missing", ["GRAPHJOBS_JOBS_TABLE", "GRAPHJOBS_QUEUE_URL"])
def test_without_a_setting_the_message_comes_back_soon_all_the_same(
    received: Any, hidden: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    _, event = received()
    monkeypatch.delenv(missing)
    answer = start(tmp_path, fails).handle(event, CONTEXT)
    assert len(answer["batchItemFailures"]) == 1 and hidden == [5]


def test_a_queue_is_known_by_the_event_alone(aws: Backend, received: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, event = received()
    monkeypatch.delenv("GRAPHJOBS_QUEUE_URL")
    (record,) = event["Records"]
    aws.sqs.change_message_visibility(
        QueueUrl=aws.settings.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
    )
    assert messages(aws) == ("1", "0")
    look_after(record, "no reason", Cause("None"))
    assert messages(aws) == ("0", "1")


def test_a_message_that_names_no_job_comes_back(received: Any, hidden: list[int], tmp_path: Path) -> None:
    _, event = received()
    event["Records"][0]["body"] = "poison"
    assert len(start(tmp_path, fails).handle(event, CONTEXT)["batchItemFailures"]) == 1
    assert hidden == [5]


def test_with_snapstart_it_fails_the_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    with pytest.raises(RuntimeError, match="GRAPHJOBS_X"):
        start(tmp_path, fails)


@pytest.mark.parametrize("initialization, alike", [("snap-start", False), ("on-demand", True)])
def test_environments_from_one_snapshot_do_not_share_their_random_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialization: str, alike: bool
) -> None:
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", initialization)
    snapshot, drawn = random.getstate(), []
    for _ in range(2):
        worker = start(tmp_path, lambda: lambda event, context: {"batchItemFailures": [random.random()]})
        random.setstate(snapshot)
        first, second = (worker.handle({"Records": []}, CONTEXT)["batchItemFailures"][0] for _ in range(2))
        drawn.append(first)
        assert first != second
    assert (drawn[0] == drawn[1]) is alike


def test_where_a_start_has_ended_the_process_the_next_one_waits_for_a_message(
    aws: Backend, received: Any, hidden: list[int], tmp_path: Path
) -> None:
    """Such as an import that takes longer than the init phase has: as part of an invocation it may take its time."""
    job, event = received()
    (tmp_path / "begun").touch()
    order: list[str] = []

    def begin() -> Any:
        order.append(f"started, message hidden {hidden}, counted {row(aws, job).start_failures}")
        return lambda event, context: {"batchItemFailures": []}

    process = start(tmp_path, begin)
    assert order == []
    process.handle(event, CONTEXT)
    assert order == ["started, message hidden [5], counted 1"]
    assert list(tmp_path.iterdir()) == [], "this environment starts at init again"


# What Lambda does: a process a start, /tmp stays. It gets one event, answers, and says so.
RUNTIME = """
import json, os, pathlib, sys
sys.path.insert(0, {source!r})
from graphjobs.worker.start import Start
def begin():
    os._exit(137)  # as the kernel does it when memory is used up
start = Start(begin, begun=pathlib.Path({begun!r}))
start.at_init()
print(json.dumps(start.handle(json.loads(sys.argv[1]), None)), flush=True)
"""


@pytest.fixture
def endpoint() -> Iterator[str]:
    server = make_emulator(0, make_app())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_start_that_kills_the_process_again_and_again_ends_the_job(endpoint: str, tmp_path: Path) -> None:
    environ = create_resources(endpoint, "died", visibility_seconds=930) | CREDENTIALS | {ENDPOINT_VARIABLE: endpoint}
    jobs, sqs = JobStore(client("dynamodb", endpoint), environ["GRAPHJOBS_JOBS_TABLE"]), client("sqs", endpoint)
    url, now = environ["GRAPHJOBS_QUEUE_URL"], now_ms()
    job = Job(
        job_id="job-5f1f6e2e-9d0a-4a52-8e0e-3b9a3a1f2b11", owner="anna", graph="chat", status=Status.QUEUED,
        created_at=now, deadline_at=now + 3_600_000, expires_at=now // 1000 + 7200, start_failures=MAX_STARTS - 2,
    )  # fmt: skip
    jobs.create(job, "{}", None, now)
    sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"job_id": job.job_id}))
    code = RUNTIME.format(source=str(Path(__file__).parents[3] / "src"), begun=str(tmp_path / "begun"))

    def invoke() -> subprocess.CompletedProcess[str]:
        (message,) = sqs.receive_message(QueueUrl=url, AttributeNames=["All"])["Messages"]
        command = [sys.executable, "-c", code, json.dumps(sqs_event(message, ARN))]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:  # it comes back, in seconds; not for this test to wait for
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        return done

    def counted() -> int:
        found = jobs.get(job.job_id)
        assert found is not None
        return found.start_failures

    assert invoke().returncode == 137 and counted() == MAX_STARTS - 2, "in the init phase: nobody knows of a message"
    assert invoke().returncode == 137 and counted() == MAX_STARTS - 1, "with the message in hand"
    last = invoke()
    assert last.returncode == 0 and json.loads(last.stdout.splitlines()[-1]) == {"batchItemFailures": []}
    found = jobs.get(job.job_id)
    assert found is not None and found.status == "failed" and found.start_failures == MAX_STARTS
