"""One user of a service, at the level of HTTP: no retries, nothing hidden."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.e2e.wire import Connection, Event, Wire, check_whole, opened
from tests.support.instance import Target

WAIT_SECONDS = 45.0


class User:
    """Calls the service of `target` as `name`; not for several threads at once."""

    def __init__(self, target: Target, name: str = "user-1") -> None:
        self.target = target
        self.name = name
        self.http = httpx.Client(verify=_trusted(), trust_env=False, timeout=WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    @property
    def bearer(self) -> dict[str, str]:
        """The header that says who this is."""
        return {"Authorization": f"Bearer {self.target.token(self.name)}"}

    def call(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """One request to the API with this user's token, unless `headers` has another."""
        return self.http.request(method, self.target.api_url + path, headers={**self.bearer, **(headers or {})}, **more)

    def submit(self, *, key: str | None = None, **body: Any) -> dict[str, Any]:
        """Submit a job that has to be accepted; its answer."""
        response = self.call("POST", "/jobs", json=body, headers={"Idempotency-Key": key} if key else None)
        assert response.status_code == 202, response.text
        job: dict[str, Any] = response.json()
        self.target.secrets.add(ticket_in(job["stream_url"]))
        return job

    def start(self, **body: Any) -> str:
        """`submit`, for its job id only."""
        return str(self.submit(**body)["job_id"])

    def status(self, job_id: str) -> dict[str, Any]:
        """The job's status."""
        response = self.call("GET", f"/jobs/{job_id}/status")
        assert response.status_code == 200, response.text
        status: dict[str, Any] = response.json()
        return status

    def cancel(self, job_id: str) -> httpx.Response:
        """Ask for the job's end."""
        return self.call("POST", f"/jobs/{job_id}/cancel")

    def ticket_url(self, job_id: str) -> str:
        """A fresh address of the job's stream, with a ticket."""
        response = self.call("POST", f"/jobs/{job_id}/stream-ticket")
        assert response.status_code == 200, response.text
        url = str(response.json()["stream_url"])
        self.target.secrets.add(ticket_in(url))
        return url

    @contextmanager
    def stream(
        self,
        job_id: str,
        *,
        after: int | str | None = None,
        last_event_id: int | str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Iterator[Connection]:
        """Open the job's stream with the token; `headers` in its place, if given."""
        sent = dict(self.bearer if headers is None else headers)
        if last_event_id is not None:
            sent["Last-Event-ID"] = str(last_event_id)
        query = dict(params or {}) | ({} if after is None else {"after": str(after)})
        with opened(self.http, f"{self.target.stream_url}/stream/{job_id}", sent, query) as connection:
            yield connection

    def follow(self, job_id: str, after: int = 0) -> list[Event]:
        """The job's events after `after`, to ``done``, over as many connections as the stream's window makes."""
        received: list[Event] = []
        while not received or received[-1]["type"] != "done":
            with self.stream(job_id, after=received[-1]["seq"] if received else after) as connection:
                assert connection.response.status_code == 200
                received += connection.until(_ended).events
        return received

    def finished(self, job_id: str) -> list[Event]:
        """The whole log of a job that comes to its end: as streamed, and so also as stored."""
        events = self.follow(job_id)
        check_whole(events)
        self.check_log(job_id, events)
        return events

    def check_log(self, job_id: str, events: list[Event]) -> None:
        """`events` are the log: the table's, where the target shows it, else what a fresh stream replays."""
        log = self.target.log(job_id)
        assert events == (self.follow(job_id) if log is None else log)

    def newest(self) -> str | None:
        """The id of this user's newest job."""
        jobs = self.call("GET", "/jobs", params={"limit": 1}).json()["jobs"]
        return str(jobs[0]["job_id"]) if jobs else None


@cache
def _trusted() -> ssl.SSLContext:
    """Made once: reading all certificate authorities takes longer than most of what a user does."""
    return httpx.create_ssl_context(trust_env=False)


def _ended(wire: Wire) -> bool:
    return wire.ended


def at(where: str, cursor: int | str) -> dict[str, Any]:
    """The argument of `User.stream` for a cursor in the ``last_event_id`` header or in ``after``."""
    return {where: cursor}


def ticket_in(url: str) -> str:
    """The ticket of a stream's address."""
    return parse_qs(urlsplit(url).query)["ticket"][0]


def eventually(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> None:
    """Wait until `condition`; fails if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
