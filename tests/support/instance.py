"""What the acceptance tests run against: a local instance of their own, or any deployment that a file describes.

``GRAPHJOBS_E2E_TARGET`` is the path of a JSON file ``{"api_url", "stream_url", "tokens": {"user-1", "user-2"}}``.
What else it names makes more tests possible: ``graphs`` (default: the built-in two), ``stream_heartbeat_seconds``,
and, reached at ``aws_endpoint_url`` (an emulator) or with ``aws_profile`` (a real account), ``jobs_table``,
``events_table``, ``payload_bucket``, ``queue_url``. A test that needs what its target lacks is skipped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import boto3
import pytest

from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.cli.local_process import LocalProcess, local_command
from graphjobs.local.issuer import mint_token
from graphjobs.local.state import STATE_FILE

Event = dict[str, Any]

VARIABLE = "GRAPHJOBS_E2E_TARGET"
BUILT_IN = ("chat", "report")
START_SECONDS = 90
TOKEN_SECONDS = 7200
PAGE_SLOTS = 1000


@dataclass(frozen=True)
class Tables:
    """Direct access to what is stored."""

    dynamodb: Any
    jobs_table: str
    jobs: JobStore
    events: DynamoEventLog

    def log(self, job_id: str) -> list[Event]:
        """The whole log of a job, as it is now."""
        log: list[Event] = []
        while slots := self.events.following(job_id, len(log) + 1, max_slots=PAGE_SLOTS):
            log += [json.loads(event.line) for slot in slots for event in slot.events()]
        return log

    def slot_starts(self, job_id: str) -> list[int]:
        """The seq of the first event of each slot."""
        return [slot.seq for slot in self.events.following(job_id, 1, max_slots=PAGE_SLOTS)]

    def items(self) -> int:
        """How many items the Jobs table holds: rows, inputs and idempotency records."""
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=self.jobs_table, Select="COUNT", ConsistentRead=True
        )
        return sum(page["Count"] for page in pages)


@dataclass(frozen=True)
class Queue:
    """Direct access to the queue of jobs."""

    sqs: Any
    url: str

    def send(self, body: str) -> None:
        """Put a message of any body into it."""
        self.sqs.send_message(QueueUrl=self.url, MessageBody=body)

    def drained(self) -> bool:
        """Whether no message waits or is being worked on."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return all(answer["Attributes"][name] == "0" for name in names)


@dataclass
class Target:
    """One service under test. What is None it lacks.

    Attributes:
        mint: gives a token of a user; asked once a user.
        graphs: the graphs that it serves.
        state_dir: of a local instance: its issuer's key, its state file, its processes' logs.
        secrets: every token and ticket that the tests have had in hand.
    """

    api_url: str
    stream_url: str
    mint: Callable[[str], str]
    graphs: frozenset[str] = frozenset(BUILT_IN)
    stream_heartbeat_seconds: float = 15.0
    tables: Tables | None = None
    queue: Queue | None = None
    state_dir: Path | None = None
    secrets: set[str] = field(default_factory=set)
    _tokens: dict[str, str] = field(default_factory=dict)

    def token(self, user: str) -> str:
        """A token of `user`, the same at every call."""
        if user not in self._tokens:
            self._tokens[user] = self.mint(user)
            self.secrets.add(self._tokens[user])
        return self._tokens[user]

    def log(self, job_id: str) -> list[Event] | None:
        """The log of a job from the Events table; None if the target gives no access to it."""
        return self.tables.log(job_id) if self.tables else None

    def need_graph(self, name: str) -> None:
        """Skip the test if the target does not serve the graph `name`."""
        if name not in self.graphs:
            _skip(f"the graph {name!r}")

    def need_tables(self) -> Tables:
        """The tables; skips the test if there is no access to them."""
        return self.tables or _skip("access to its tables")

    def need_queue(self) -> Queue:
        """The queue; skips the test if there is no access to it."""
        return self.queue or _skip("access to its queue")

    def need_state_dir(self) -> Path:
        """The state folder; skips the test unless the target is a local instance."""
        return self.state_dir or _skip("a folder of a local instance")

    def facts(self) -> dict[str, Any]:
        """What a local instance says of itself now: the process ids change when a process is replaced."""
        facts: dict[str, Any] = json.loads((self.need_state_dir() / STATE_FILE).read_text(encoding="utf-8"))
        return facts

    def written(self) -> dict[str, str]:
        """All that the processes of a local instance have written so far, by file."""
        folder = self.need_state_dir()
        files = [*folder.glob("logs/*.log"), *folder.glob("*.out")]
        return {path.name: path.read_text(encoding="utf-8", errors="replace") for path in files}


def _skip(what: str) -> NoReturn:
    pytest.skip(f"the target lacks {what}")


@contextmanager
def target_from_environment(state_dir: Path, config: Path, **settings: str) -> Iterator[Target]:
    """The target that the environment names, else a local instance with three workers."""
    path = os.environ.get(VARIABLE)
    if path:
        yield described_target(json.loads(Path(path).read_text(encoding="utf-8")))
        return
    with local_target(state_dir, config, workers=3, **settings) as target:
        yield target


@contextmanager
def local_target(
    state_dir: Path, config: Path, *, workers: int, keep_in: str = "", **settings: str
) -> Iterator[Target]:
    """A local instance that keeps its state in `state_dir`; `settings` are environment variables."""
    environ = {**os.environ, **settings, "GRAPHJOBS_STATE_DIR": str(state_dir)}
    command = local_command("--workers", str(workers), "--config", str(config))
    command += ["--data", keep_in] if keep_in else []
    # Bash keeps what the instance prints: its own pid stays the one that is told to end.
    copied = 'exec "$@" > >(exec tee "$0/stdout.out") 2> "$0/stderr.out"'
    state_dir.mkdir(parents=True, exist_ok=True)
    with LocalProcess(["bash", "-c", copied, str(state_dir), *command], environ) as process:
        facts = process.ready(START_SECONDS)
        named = _resources(facts["aws_endpoint_url"])
        yield Target(
            facts["api_url"],
            facts["stream_url"],
            lambda user: mint_token(state_dir, user, TOKEN_SECONDS),
            graphs=frozenset(json.loads(config.read_text(encoding="utf-8"))["graphs"]),
            stream_heartbeat_seconds=float(settings.get("GRAPHJOBS_STREAM_HEARTBEAT_SECONDS", "15")),
            tables=_tables(named, _client(named)),
            queue=Queue(_client(named)("sqs"), named["queue_url"]),
            state_dir=state_dir,
        )


def described_target(described: Mapping[str, Any]) -> Target:
    """The target that a JSON object describes; see the module's text."""
    tokens = described["tokens"]
    client = _client(described) if described.get("aws_endpoint_url") or described.get("aws_profile") else None
    stored = client is not None and {"jobs_table", "events_table", "payload_bucket"} <= described.keys()
    return Target(
        described["api_url"].rstrip("/"),
        described["stream_url"].rstrip("/"),
        lambda user: tokens[user] if user in tokens else _skip(f"a token of {user}"),
        graphs=frozenset(described.get("graphs", BUILT_IN)),
        stream_heartbeat_seconds=float(described.get("stream_heartbeat_seconds", 15)),
        tables=_tables(described, client) if client and stored else None,
        queue=Queue(client("sqs"), described["queue_url"]) if client and "queue_url" in described else None,
    )


def _client(described: Mapping[str, Any]) -> Callable[[str], Any]:
    """Makes clients of the account that is described.

    A profile is named in so many words: the dummy credentials of the tests' environment then do not count.
    """
    session = boto3.Session(profile_name=described.get("aws_profile"), region_name=described.get("region"))
    return lambda service: session.client(
        service,  # type: ignore[call-overload]
        endpoint_url=described.get("aws_endpoint_url"),
    )


def _tables(named: Mapping[str, Any], client: Callable[[str], Any]) -> Tables:
    dynamodb = client("dynamodb")
    events = DynamoEventLog(dynamodb, named["events_table"], PayloadStore(client("s3"), named["payload_bucket"]))
    return Tables(dynamodb, named["jobs_table"], JobStore(dynamodb, named["jobs_table"]), events)


def _resources(endpoint_url: str) -> dict[str, str]:
    """What a local instance has made at its emulator, which is its own."""
    client = _client({"aws_endpoint_url": endpoint_url})
    tables = {name.split("-")[0]: name for name in client("dynamodb").list_tables()["TableNames"]}
    queues = client("sqs").list_queues(QueueNamePrefix="jobs")["QueueUrls"]
    return {
        "aws_endpoint_url": endpoint_url,
        "jobs_table": tables["jobs"],
        "events_table": tables["events"],
        "payload_bucket": client("s3").list_buckets()["Buckets"][0]["Name"],
        "queue_url": next(url for url in queues if "jobs-dlq" not in url),
    }
