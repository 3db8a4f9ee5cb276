"""Stream tickets: leave to read the stream of one job until a time, for clients that can send no header.

A ticket is ``<kid>.<expiry>.<signature>``: the key's name, epoch seconds, and HMAC-SHA256 (base64url) over both
and the job id. The job id itself is in the address, not in the ticket, so a ticket of another job does not verify.
It is checked when a stream opens and not after.

Once the tickets of a job have been revoked, new ones are ``<kid>.<expiry>.<revoked>.<signature>``: how many times that
was when they were issued. The row has the number that is in force, so a ticket of an earlier one opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final, Protocol

from graphjobs.auth.principal import AuthError
from graphjobs.core.job import Job

MAX_SECONDS: Final = 12 * 3600
AFTER_DEADLINE_SECONDS: Final = 600
MAX_LENGTH: Final = 200
EXPIRY_DIGITS: Final = 12
SIGNATURE_LENGTH: Final = 43


class Keyring(Protocol):
    """The signing keys by name."""

    def current(self) -> tuple[str, bytes]:
        """Name and secret of the key that signs.

        Raises:
            AuthUnavailable: the keys cannot be had.
        """

    def key(self, kid: str) -> bytes | None:
        """The key of that name; None if there is none.

        Raises:
            AuthUnavailable: the keys cannot be had.
        """


@dataclass(frozen=True, slots=True)
class Tickets:
    """Issues and checks tickets."""

    keys: Keyring = field(repr=False)

    def issue(self, job_id: str, expires_at: int, revoked: int = 0) -> str:
        """A ticket for the stream of `job_id` until `expires_at` (epoch seconds).

        `revoked` is how often the tickets of the job have been revoked: `Job.tickets_revoked`.
        """
        kid, key = self.keys.current()
        signed = ".".join([kid, str(expires_at), *([str(revoked)] if revoked else [])])
        return f"{signed}.{_signature(key, kid, job_id, expires_at, revoked)}"

    def check(self, job_id: str, ticket: str, now: int) -> int:
        """Whether `ticket` is one of `job_id` that has not expired at `now` (epoch seconds).

        A malformed one is refused before any key is looked at, so a flood of them costs next to nothing.

        Returns:
            How often the tickets of the job had been revoked when it was issued; it opens the stream only while the
            row says the same (`check_revoked`).

        Raises:
            AuthError: ``ticket_invalid`` or ``ticket_expired``.
            AuthUnavailable: the keys cannot be had.
        """
        kid, expires_at, revoked, signature = _parts(ticket)
        key = self.keys.key(kid)
        if key is None or not hmac.compare_digest(
            _signature(key, kid, job_id, expires_at, revoked).encode(), signature.encode()
        ):
            raise _invalid()
        if now >= expires_at:
            raise AuthError("ticket_expired", "The ticket has expired; get a fresh one.")
        return revoked


def check_revoked(job: Job, issued: int) -> None:
    """Whether a ticket that `Tickets.check` has let pass is still in force; `issued` is what that returned.

    Raises:
        AuthError: ``ticket_invalid``: the tickets of the job have been revoked since.
    """
    if issued != job.tickets_revoked:
        raise _invalid()


def expires_at(job: Job, now: int) -> int:
    """Until when a ticket issued at `now` is valid, in epoch seconds: the deadline and some, 12 h at most.

    A job that is past its deadline can still be read, so its ticket is valid for the "and some" from now.
    """
    return min(max(job.deadline_at // 1000, now) + AFTER_DEADLINE_SECONDS, now + MAX_SECONDS)


def _parts(ticket: str) -> tuple[str, int, int, str]:
    parts = ticket.split(".") if len(ticket) <= MAX_LENGTH and ticket.isascii() else []
    if len(parts) not in (3, 4) or len(parts[-1]) != SIGNATURE_LENGTH or not parts[0]:
        raise _invalid()
    kid, *numbers, signature = parts
    if not all(map(_canonical_number, numbers)):
        raise _invalid()
    return kid, int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0, signature


def _canonical_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= EXPIRY_DIGITS and not text.startswith("0")


def _invalid() -> AuthError:
    return AuthError("ticket_invalid", "The ticket does not open this stream.")


def _signature(key: bytes, kid: str, job_id: str, expires_at: int, revoked: int) -> str:
    message = f"graphjobs-ticket\0{kid}\0{job_id}\0{expires_at}" + (f"\0{revoked}" if revoked else "")
    digest = hmac.new(key, message.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
