"""Opening a stream: who may, from where on, and whether there is anything to send. All from consistent reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphjobs.auth.tickets import check_revoked
from graphjobs.aws.job_store import JobStore
from graphjobs.core.event_log import EventLog
from graphjobs.core.job import Job
from graphjobs.core.times import Clock, now_ms
from graphjobs.http.access import AdminUse, readable_job
from graphjobs.http.problem import Problem
from graphjobs.stream.cursor import too_high
from graphjobs.stream.frame import Frame

if TYPE_CHECKING:
    from graphjobs.auth.jwt_auth import JwtVerifier
    from graphjobs.auth.principal import Principal
    from graphjobs.auth.tickets import Tickets


@dataclass(frozen=True, slots=True)
class Credentials:
    """What came with the request; a bearer token wins over a ticket."""

    bearer: str | None
    ticket: str | None


@dataclass(frozen=True, slots=True)
class Opening:
    """A stream that may begin.

    Attributes:
        first: the frame that holds the next event, if that was looked for and is written.
        finished: there is nothing more to send.
        job: as it was read.
    """

    first: Frame | None
    finished: bool
    job: Job

    @property
    def live(self) -> bool:
        """Whether the job is not over."""
        return not self.job.status.terminal


@dataclass(frozen=True, slots=True)
class Door:
    """Decides about requests for a stream; an administrator may follow any job where `use` is given."""

    jobs: JobStore
    log: EventLog
    verifier: JwtVerifier
    tickets: Tickets
    clock: Clock = now_ms
    use: AdminUse | None = None

    def open(self, job_id: str, credentials: Credentials, after: int) -> Opening:
        """Let a client in, after its event `after`. Blocking: one or two reads.

        Raises:
            Problem: 401, 404 or 400.
            AuthError: 401.
            AuthUnavailable, ClientError, BotoCoreError: it cannot be decided just now.
            CorruptSlot: the slot at the cursor cannot be read.
        """
        caller, issued = authenticate(job_id, credentials, self.verifier, self.tickets, self.clock())
        job = readable_job(self.jobs, job_id, caller, self.clock(), self.use)
        if issued is not None:
            check_revoked(job, issued)
        if after == 0:
            return Opening(first=None, finished=False, job=job)  # the log is read from its first slot
        slot = self.log.containing(job.job_id, after + 1)
        if slot is None or after > slot.last_seq:
            raise too_high(after, slot.last_seq if slot else 0)
        frame = Frame(slot)
        if after == frame.last:
            return Opening(first=None, finished=frame.ends, job=job)
        return Opening(first=frame, finished=False, job=job)


def authenticate(
    job_id: str, credentials: Credentials, verifier: JwtVerifier, tickets: Tickets, now: int
) -> tuple[Principal | None, int | None]:
    """The caller that the token names, or what `Tickets.check` says of the ticket, which names its job.

    Raises:
        AuthError, Problem: there are none, or they are not valid.
        AuthUnavailable, ClientError, BotoCoreError: it cannot be decided just now.
    """
    if credentials.bearer is not None:
        return verifier.verify(credentials.bearer), None
    if credentials.ticket is not None:
        return None, tickets.check(job_id, credentials.ticket, now // 1000)
    raise Problem(
        401,
        "unauthorized",
        "Give a bearer token, or the ticket of a stream_url.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def bearer_of(authorization: str) -> str | None:
    """The token of an ``Authorization`` header; None if there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
