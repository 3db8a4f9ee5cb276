"""A day in the life of every function: what a `Recording` is made of."""

from __future__ import annotations

import importlib
import json
import random
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from starlette.testclient import TestClient

from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.auth.tickets import Tickets
from graphjobs.aws import clients
from graphjobs.aws.claims import Claim
from graphjobs.core.event import Event
from graphjobs.core.job import Job
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.outcome import completed
from graphjobs.core.slot import freeze
from graphjobs.core.times import now_ms, rfc3339
from graphjobs.local.lambda_context import LambdaContext
from tests.infra.recorded import Recording
from tests.support.backend import Backend, backend

HANDLERS = {"worker": "graphjobs.worker.handler"}
"""Where the code is that works, if that is not where it starts."""

GRAPHS = '''
import asyncio
import random
from pathlib import Path
from typing import TypedDict
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

class State(TypedDict, total=False):
    query: str
    text: str
    again: str

def big(state: State) -> State:
    """More than an item holds, whatever compresses it."""
    text = random.Random(1).randbytes(500_000).hex()
    get_stream_writer()({"type": "page", "text": text})
    store = get_store()
    store.put(("notes", "user-1"), "k", {"a": 1})
    assert store.get(("notes", "user-1"), "k") and store.search(("notes",)) and store.list_namespaces()
    store.delete(("notes", "user-1"), "k")
    return {"text": text}

def fail(state: State) -> State:
    raise ValueError("on purpose")

async def slow(state: State) -> State:
    """Outlives the first invocation."""
    once = Path(__file__).with_name("once")
    if not once.exists():
        once.touch()
        await asyncio.sleep(60)
    return {"again": "later"}

def carry(state: State) -> State:
    """Leaves the large value where it is saved."""
    return {"again": "carried"}

def graph(*nodes):
    builder = StateGraph(State)
    for before, node in zip([START, *(n.__name__ for n in nodes)], nodes):
        builder.add_node(node.__name__, node)
        builder.add_edge(before, node.__name__)
    builder.add_edge(nodes[-1].__name__, END)
    return builder.compile()

def ask(state: State) -> State:
    return {"text": interrupt("may I?")}

large, failing, waiting, asking = graph(big), graph(fail), graph(big, carry, slow), graph(ask)
'''


class Scenario:
    """Calls the handlers on one backend."""

    def __init__(self, aws: Backend, folder: Path) -> None:
        (folder / "graphs_of_the_day.py").write_text(GRAPHS)
        names = ("large", "failing", "waiting", "asking")
        graphs = {name: f"./graphs_of_the_day.py:{name}" for name in names}
        config = folder / "langgraph.json"
        config.write_text(json.dumps({"dependencies": [], "graphs": graphs}))
        self.aws = aws
        self.recording = Recording()
        self.environ = aws.environ | {
            "GRAPHJOBS_CONFIG": str(config),
            "GRAPHJOBS_GRAPHS": ",".join(names),
            "GRAPHJOBS_STREAM_WINDOW_SECONDS": "30",
        }

    def call(self, function: str, event: Any, *, remaining_ms: int = 900_000) -> Any:
        """One invocation in a fresh process, as far as a test can make one."""
        module = importlib.import_module(HANDLERS.get(function) or FUNCTIONS[function].module)
        made = {"worker": "worker", "reconcile": "reconciler"}.get(function, "wiring")
        getattr(module, made).cache_clear()
        try:
            with self.recording.of(function, self.environ):
                if function == "worker":
                    made_worker = module.worker()
                    made_worker.host = replace(made_worker.host, exit=lambda code: None)
                return module.handler(event, LambdaContext(function, time.monotonic() + remaining_ms / 1000))
        finally:
            if function == "worker":
                module.worker().host.loop.close()
            getattr(module, made).cache_clear()

    def request(self, function: str, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """One request to the HTTP API; returns the body of the answer."""
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": {"content-type": "application/json", **headers},
            "requestContext": {
                "http": {"method": method, "path": path},
                "domainName": "api.example.test",
                "stage": "$default",
                "authorizer": {"jwt": {"claims": {"sub": "user-1"}}},
            },
            "body": None if body is None else json.dumps(body),
            "isBase64Encoded": False,
        }
        answer = self.call(function, event)
        assert answer["statusCode"] < 300, answer
        content: dict[str, Any] = json.loads(answer["body"] or "{}")
        return content

    def submit(self, graph: str, **more: str) -> str:
        """A job, accepted."""
        # Of one graph the input is more than an item holds.
        body = {"input": {"again": "x" * (300_000 if graph == "large" else 1)}, "graph": graph, **more}
        key = uuid.uuid4().hex
        for _ in range(2):
            answer = self.request("create_job", "POST", "/jobs", body, **{"idempotency-key": key})
        return str(answer["job_id"])

    def turn(self, thread_id: str, **more: str) -> str:
        """The next job of a conversation, accepted."""
        body = {"input": {"again": "x"}, "graph": "asking", "thread_id": thread_id, **more}
        return str(self.request("create_job", "POST", "/jobs", body)["job_id"])

    def converse(self, thread_id: str) -> None:
        """One job ends the one before it, a third waits and gets its turn by a cancel, and asks a person."""
        self.turn(thread_id)
        second = self.turn(thread_id, multitask_strategy="interrupt")
        self.turn(thread_id)
        self.request("cancel_job", "POST", f"/jobs/{second}/cancel")
        self.work()

    def look_back(self, thread_id: str) -> None:
        """What a thread was in, is looked at; while a job runs too; and a job begins at an older checkpoint."""
        own = str(uuid.uuid4())
        self.request("threads", "POST", "/threads", {"thread_id": own, "metadata": {"title": "mine"}})
        self.request("threads", "GET", f"/threads/{thread_id}")
        pages: Any = self.request("threads", "POST", f"/threads/{thread_id}/history", {"limit": 5})
        self.turn(thread_id, checkpoint_id=pages[-1]["checkpoint_id"])
        self.request("threads", "GET", f"/threads/{thread_id}/state")
        self.work()

    def work(self, *, remaining_ms: int = 900_000) -> None:
        """Give what is in the queue to the worker."""
        for message in self.aws.messages():
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": {"ApproximateReceiveCount": "1"},
            }
            assert self.call("worker", {"Records": [record]}, remaining_ms=remaining_ms) == {"batchItemFailures": []}

    def running(self) -> Claim:
        """A job whose worker has written more than fits an item."""
        now = now_ms()
        self.aws.clock.now = now
        job = self.aws.new_job(graph="large")
        claim = self.aws.claims.claim(job.job_id, model=None)
        assert isinstance(claim, Claim)
        line = Event(2, "page", rfc3339(now), {"text": random.Random(2).randbytes(400_000).hex()}).line()
        slot = freeze(job.job_id, 2, [line], nonce=claim.nonce, mark=None, expires_at=claim.tail.expires_at)
        self.aws.log.append(slot)
        return claim

    def lost(self) -> Job:
        """Such a job whose worker has died, and whose time is over."""
        job, ago = self.running().job, now_ms() - 1
        return self.aws.jobs.update(job, replace(job, lease_until=ago, due_at=ago, deadline_at=ago))

    def stream(self, job_id: str, *, after: int = 0) -> bytes:
        """What a viewer with a ticket is sent, until the end."""
        from graphjobs.stream.app import create_app_from_env

        ticket = Tickets(SecretKeyring(self.aws.secrets, self.environ["GRAPHJOBS_TICKET_SECRET"])).issue(
            job_id, now_ms() // 1000 + 60
        )
        with self.recording.of("stream", self.environ):
            answer = TestClient(create_app_from_env()).get(f"/stream/{job_id}?ticket={ticket}&after={after}")
        assert answer.status_code == 200
        assert b"event: done" in answer.content
        return answer.content


@contextmanager
def clients_used_again() -> Iterator[None]:
    """Each kind of client is made once, whatever is made anew: that takes a quarter of the day."""
    make, made = clients._client, dict[tuple[str, str], Any]()

    def client(service: Any, config: Any) -> Any:
        key = service, repr(config._user_provided_options)
        if key not in made:
            made[key] = make(service, config)
        return made[key]

    with patch.object(clients, "_client", client):
        yield


def run(folder: Path) -> Recording:
    """Everything that the functions do, once."""
    path = list(sys.path)
    with backend() as aws, clients_used_again():
        day = Scenario(aws, folder)
        jobs = [day.submit(name) for name in ("large", "failing", "large")]
        day.work()
        aside = str(uuid.uuid4())
        day.submit("waiting", thread_id=aside, if_not_exists="create")
        day.work(remaining_ms=3_000)  # too little time: sent on
        day.work()
        for job_id in jobs:
            day.request("job_status", "GET", f"/jobs/{job_id}/status")
        day.converse(jobs[0].removeprefix("job-"))  # of a job that was created without one
        day.look_back(aside)
        day.request("list_jobs", "GET", "/jobs")
        day.request("stream_ticket", "POST", f"/jobs/{jobs[0]}/stream-ticket")
        day.request("stream_ticket", "DELETE", f"/jobs/{jobs[1]}/stream-ticket")
        day.request("job_status", "GET", f"/jobs/{aws.new_job().job_id}/status")
        day.stream(jobs[0])
        day.stream(jobs[0], after=2)
        live = day.running()
        poll = ("dynamodb:GetItem", "events")
        day.recording.meanwhile[poll] = lambda: aws.claims.finish(live, completed("ok"), None)
        day.stream(live.job.job_id)
        day.request("cancel_job", "POST", f"/jobs/{day.running().job.job_id}/cancel")
        day.request("cancel_job", "POST", f"/jobs/{day.lost().job_id}/cancel")
        day.request("cancel_job", "DELETE", f"/jobs/{jobs[2]}")
        day.request("threads", "DELETE", f"/threads/{aside}")
        day.lost()
        aws.clock.now = now_ms() - 60_000
        aws.new_job()
        day.call("reconcile", {})
        sys.path[:] = path
        return day.recording
