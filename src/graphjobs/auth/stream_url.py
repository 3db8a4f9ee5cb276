"""Addresses of streams, with their tickets."""

from __future__ import annotations

from dataclasses import dataclass

from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.auth.tickets import Tickets, expires_at
from graphjobs.aws import clients as aws
from graphjobs.core.job import Job
from graphjobs.core.settings import Settings
from graphjobs.core.times import Clock, now_ms


@dataclass(frozen=True, slots=True)
class StreamUrls:
    """Makes the addresses that clients follow jobs at."""

    base: str
    tickets: Tickets
    clock: Clock = now_ms

    def check(self) -> None:
        """Whether addresses can be made just now.

        Raises:
            AuthUnavailable: the keys of the tickets cannot be had.
        """
        self.tickets.keys.current()

    def expires_at(self, job: Job) -> int:
        """Until when an address made now opens streams, in epoch seconds."""
        return expires_at(job, self.clock() // 1000)

    def url(self, job: Job) -> str:
        """The address of a job's stream, good for a browser's EventSource as it is."""
        ticket = self.tickets.issue(job.job_id, self.expires_at(job), job.tickets_revoked)
        return f"{self.base}/stream/{job.job_id}?ticket={ticket}"


def tickets(settings: Settings) -> Tickets:
    """The tickets of this deployment."""
    return Tickets(SecretKeyring(aws.secrets_manager(), settings.ticket_secret))


def stream_urls(settings: Settings) -> StreamUrls:
    """The addresses of this deployment's streams."""
    return StreamUrls(settings.stream_url.rstrip("/"), tickets(settings))
