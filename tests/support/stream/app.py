"""The stream app as an ASGI server sees it: real frames, back-pressure and disconnects, without a socket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from graphjobs.auth.administrators import NOBODY, Administrators
from graphjobs.auth.tickets import Tickets
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.times import now_ms
from graphjobs.http.access import AdminUse
from graphjobs.observability import logger
from graphjobs.stream.app import StreamService, create_app
from graphjobs.stream.follower import Feed, Pacing
from graphjobs.stream.opening import Door
from graphjobs.stream.pages import Pages
from graphjobs.stream.poller import Poller
from graphjobs.stream.turnstile import Turnstile
from graphjobs.stream.watchers import Watchers
from graphjobs.testing import FakeClock, MemoryLog, MemoryMetrics
from tests.support.issuer import NOW, Issuer
from tests.support.stream.script import Script

T = TypeVar("T")
Event = dict[str, Any]

SECONDS = 60.0
"""No test of a stream takes longer, on however slow a machine."""


class Inline(Executor):
    """Runs what it is given at once, in the caller's thread: nothing depends on the machine's speed."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Rows:
    """Job rows in a dictionary; `failure` is what a read raises."""

    def __init__(self) -> None:
        self.rows: dict[str, Job] = {}
        self.failure: Exception | None = None
        self.reads = 0
        self.opens: dict[str, int] = {}
        self.watched: list[tuple[str, int]] = []

    def admit(self, subject: str, limit: int, *, now: int, stretch_ms: int) -> bool:
        if self.failure:
            raise self.failure
        self.opens[subject] = self.opens.get(subject, 0) + 1
        return self.opens[subject] <= limit

    def note_watched(self, job_id: str, until: int) -> bool:
        self.watched.append((job_id, until))
        if self.failure:
            raise self.failure
        return True

    def get(self, job_id: str) -> Job | None:
        self.reads += 1
        if self.failure:
            raise self.failure
        return self.rows.get(job_id)


class Ring:
    """One ticket key; `failure` is what asking for it raises."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def current(self) -> tuple[str, bytes]:
        return "k1", b"a key of the tests"

    def key(self, kid: str) -> bytes | None:
        if self.failure:
            raise self.failure
        return b"a key of the tests" if kid == "k1" else None


@dataclass
class Connection:
    """One request: what was received, and the ways to hold it up or to break it off."""

    task: asyncio.Task[None]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Event = field(default_factory=asyncio.Event)
    pause: float = 0.0

    async def send(self, message: dict[str, Any]) -> None:
        """What the app sends with: takes a frame only while the client is `reading`."""
        await self.reading.wait()
        if self.pause:
            await asyncio.sleep(self.pause)
        if message["type"] == "http.response.start":
            assert not self.started.is_set()
            self.status = message["status"]
            pairs = [(name.decode(), value.decode()) for name, value in message["headers"]]
            self.headers = dict(pairs)
            assert len(self.headers) == len(pairs), f"a doubled header: {pairs}"
            self.started.set()
        else:
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)

    @property
    def events(self) -> list[Event]:
        """The events received whole."""
        return parsed(bytes(self.body))

    async def until(self, enough: Callable[[Connection], Any]) -> Connection:
        """Wait until `enough`, or until the app has ended."""
        async with asyncio.timeout(SECONDS):
            while not enough(self) and not self.task.done():
                await asyncio.sleep(0.002)  # what is waited for need not be of this connection
        assert enough(self), (self.status, bytes(self.body[-400:]))
        return self

    async def end(self) -> Connection:
        """Wait until the app has ended the answer."""
        async with asyncio.timeout(SECONDS):
            await asyncio.wait({self.task})
        return self

    async def leave(self) -> None:
        """The client goes; returns when the app has noticed."""
        self.gone.set()
        self.reading.set()
        await self.end()

    def problem(self) -> tuple[int, str]:
        """Status and code of a problem, which this must be."""
        assert self.headers["content-type"] == "application/problem+json", self.headers
        members = json.loads(self.body)
        assert members["status"] == self.status
        return self.status, members["code"]


def parsed(body: bytes) -> list[Event]:
    """The events of `body`; one without its blank line does not count, anything unknown is an error."""
    events = []
    text = re.sub(r"^(: .*|retry: \d+)\n", "", body.decode("utf-8", "replace"), flags=re.MULTILINE)
    for frame in text.split("\n\n")[:-1]:
        seq, kind, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert (seq, kind) == (f"id: {event['seq']}", f"event: {event['type']}"), frame
        events.append(event)
    return events


@dataclass
class Streams:
    """The app around a log in memory."""

    log: MemoryLog
    rows: Rows
    ring: Ring
    issuer: Issuer
    sink: MemoryMetrics
    service: StreamService
    app: Any
    tickets: Tickets
    clock: FakeClock

    def job(self, *, owner: str = "user-1", **changes: Any) -> Script:
        """A running job with an empty log."""
        times: dict[str, Any] = {
            "created_at": NOW * 1000,
            "deadline_at": (NOW + 3600) * 1000,
            "expires_at": NOW + 86_400,
        }
        members: dict[str, Any] = {"owner": owner, "graph": "chat", "status": Status.RUNNING, **times, **changes}
        job = Job(job_id=new_job_id(), **members)
        self.rows.rows[job.job_id] = job
        return Script(self.log, job.job_id)

    def long_job(self, slots: int) -> Script:
        """A job of that many slots of one event, long finished."""
        script = self.job()
        for number in range(slots - 1):
            script.slot(f"text {number}", ts=now_ms() - 60_000)
        script.done()
        return script

    def ticket(self, job_id: str) -> str:
        """A ticket for a job's stream."""
        return self.tickets.issue(job_id, NOW + 600)

    def bearer(self, user: str = "user-1", **claims: Any) -> dict[str, str]:
        """The header of a user, whose token has these further claims."""
        return {"authorization": f"Bearer {self.issuer.token(sub=user, **claims)}"}

    def follow(self, job_id: str, after: int | str | None = None, **options: Any) -> Connection:
        """Open the stream of a job with a good ticket."""
        query = f"ticket={self.ticket(job_id)}" + ("" if after is None else f"&after={after}")
        return self.request(f"/stream/{job_id}?{query}", **options)

    def request(
        self, path: str, headers: dict[str, str] | None = None, *, method: str = "GET", reading: bool = True
    ) -> Connection:
        """Send any request; `reading` says whether the client takes what comes."""
        address, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": address,
            "raw_path": address.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in (headers or {}).items()],
            "client": ("192.0.2.1", 50000),
            "server": ("stream.example.test", 443),
        }
        opened: list[Connection] = []

        async def receive() -> dict[str, Any]:
            await opened[0].gone.wait()
            return {"type": "http.disconnect"}

        async def serve() -> None:
            await self.app(scope, receive, opened[0].send)

        opened.append(Connection(asyncio.ensure_future(serve())))
        if reading:
            opened[0].reading.set()
        return opened[0]


@contextmanager
def streams(
    *,
    window: float = 60.0,
    heartbeat: float = 15.0,
    slow_reader: float = 30.0,
    threads: int = 0,
    cors: tuple[str, ...] = (),
    viewers: tuple[int, int] = (0, 0),
    admins: Administrators = NOBODY,
) -> Iterator[Streams]:
    """A fresh app; with `threads`, reads happen beside the event loop as they do when deployed."""
    log, rows, ring, issuer, sink = MemoryLog(), Rows(), Ring(), Issuer(), MemoryMetrics()
    executor = ThreadPoolExecutor(threads) if threads else Inline()
    tickets, clock = Tickets(ring), FakeClock(NOW * 1000)
    service = StreamService(
        door=Door(
            rows,  # type: ignore[arg-type]
            log,
            issuer.verifier(admins=admins),
            tickets,
            clock,
            AdminUse(logger("stream"), "stream"),
        ),
        feed=Feed(
            Pages(log, executor),
            Poller(log, executor, logger("stream")),
            Pacing(window, heartbeat, slow_reader),
            logger("stream"),
        ),
        watchers=Watchers(rows, executor, logger("stream"), clock=clock),  # type: ignore[arg-type]
        turnstile=Turnstile(rows, *viewers, window, logger("stream"), clock),  # type: ignore[arg-type]
        executor=executor,
        metrics=sink,  # type: ignore[arg-type]
    )
    try:
        yield Streams(log, rows, ring, issuer, sink, service, create_app(service, cors_origins=cors), tickets, clock)
    finally:
        executor.shutdown()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine; nothing that it started may outlive it."""

    async def bounded() -> T:
        async with asyncio.timeout(SECONDS * 2):
            return await work

    return asyncio.run(bounded())
