"""Stream tickets: what opens a stream, and everything that must not."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from typing import Any

import pytest

from graphjobs.auth import tickets as tickets_module
from graphjobs.auth.principal import AuthError
from graphjobs.auth.tickets import AFTER_DEADLINE_SECONDS, MAX_SECONDS, Tickets, expires_at
from graphjobs.core.job import Job, Status, new_job_id

NOW = 1_800_000_000
JOB = new_job_id()


class Keys:
    """A keyring in memory that counts how often it is asked."""

    def __init__(self, **keys: bytes) -> None:
        self.keys = keys or {"k1": b"first key of the tests"}
        self.name = next(iter(self.keys))
        self.asked = 0

    def current(self) -> tuple[str, bytes]:
        return self.name, self.keys[self.name]

    def key(self, kid: str) -> bytes | None:
        self.asked += 1
        return self.keys.get(kid)


def refused(tickets: Tickets, ticket: str, *, job_id: str = JOB, now: int = NOW) -> str:
    """The code it is refused with; the error does not quote it."""
    with pytest.raises(AuthError) as caught:
        tickets.check(job_id, ticket, now)
    assert not ticket or ticket not in str(caught.value)
    return caught.value.code


def test_a_ticket_opens_its_jobs_stream_until_it_expires() -> None:
    tickets = Tickets(Keys())
    ticket = tickets.issue(JOB, NOW + 60)
    tickets.check(JOB, ticket, NOW)
    tickets.check(JOB, ticket, NOW + 59)
    assert refused(tickets, ticket, now=NOW + 60) == "ticket_expired"


def test_a_ticket_opens_no_other_jobs_stream() -> None:
    tickets = Tickets(Keys())
    assert refused(tickets, tickets.issue(JOB, NOW + 60), job_id=new_job_id()) == "ticket_invalid"


def test_a_ticket_says_how_often_those_of_its_job_had_been_revoked() -> None:
    tickets = Tickets(Keys())
    for revoked in (0, 1, 12):
        ticket = tickets.issue(JOB, NOW + 60, revoked)
        assert tickets.check(JOB, ticket, NOW) == revoked
    assert len(tickets.issue(JOB, NOW, 1).split(".")) == 4
    assert len(tickets.issue(JOB, NOW).split(".")) == 3, "as before there was such a number"


@pytest.mark.parametrize(
    "forged",
    [
        lambda parts: [*parts[:2], "2", parts[3]],
        lambda parts: [*parts[:2], parts[3]],
        lambda parts: [*parts[:2], "01", parts[3]],
        lambda parts: [*parts[:2], "", parts[3]],
        lambda parts: [*parts[:2], "-1", parts[3]],
        lambda parts: [*parts[:2], "1", "1", parts[3]],
    ],
)
def test_nobody_can_change_that_number(forged: Callable[[list[str]], list[str]]) -> None:
    tickets = Tickets(Keys())
    ticket = tickets.issue(JOB, NOW + 60, 1)
    assert refused(tickets, ".".join(forged(ticket.split(".")))) == "ticket_invalid"


def test_a_ticket_goes_through_an_address_as_it_is() -> None:
    ticket = Tickets(Keys()).issue(JOB, NOW)
    assert ticket.isascii() and set(ticket) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert len(ticket) <= tickets_module.MAX_LENGTH


def resigned(key: bytes) -> Callable[[str], str]:
    return lambda ticket: Tickets(Keys(k1=key)).issue(JOB, int(ticket.split(".")[1]))


FORGERIES: dict[str, Callable[[str], str]] = {
    "nothing": lambda t: "",
    "cut short": lambda t: t[:-1],
    "without signature": lambda t: t.rpartition(".")[0] + ".",
    "lengthened": lambda t: t + "A",
    "padded": lambda t: t + "=",
    "last sign changed": lambda t: t[:-5] + ("A" if t[-5] != "A" else "B") + t[-4:],
    "of another key": resigned(b"another key of sixteen bytes"),
    "of no key": resigned(b""),
    "later expiry": lambda t: t.replace(str(NOW + 60), str(NOW + 61)),
    "expiry with a zero": lambda t: t.replace(str(NOW + 60), f"0{NOW + 60}"),
    "expiry with a sign": lambda t: t.replace(str(NOW + 60), f"+{NOW + 60}"),
    "expiry of other digits": lambda t: t.replace("1", "１"),
    "negative expiry": lambda t: t.replace(str(NOW + 60), "-1"),
    "expiry of a thousand digits": lambda t: t.replace(str(NOW + 60), "9" * 1000),
    "unknown key name": lambda t: "k9" + t[2:],
    "no key name": lambda t: t[2:],
    "another key name": lambda t: "k2" + t[2:],
    "one part more": lambda t: "k1." + t,
    "space before": lambda t: " " + t,
    "space after": lambda t: t + " ",
    "standard base64": lambda t: t[:-43] + "+/" + t[-41:],
    "not ASCII": lambda t: t[:-1] + "é",
    "zero byte": lambda t: t[:-1] + "\0",
    "a lone surrogate": lambda t: t[:-1] + "\ud800",
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forged_ticket_is_refused(forge: Callable[[str], str]) -> None:
    tickets = Tickets(Keys(k1=b"first key of the tests", k2=b"second key of the tests"))
    good = tickets.issue(JOB, NOW + 60)
    forged = forge(good)
    assert forged != good
    assert refused(tickets, forged) == "ticket_invalid"


def test_a_forged_ticket_is_not_said_to_have_expired() -> None:
    """Else the answer would tell whether a signature was right before it told about the time."""
    tickets = Tickets(Keys())
    forged = Tickets(Keys(k1=b"another key of the tests")).issue(JOB, NOW - 60)
    assert refused(tickets, forged) == "ticket_invalid"


def test_every_key_of_the_ring_is_accepted_and_the_current_one_signs() -> None:
    keys = Keys(k1=b"first key of the tests", k2=b"second key of the tests")
    tickets = Tickets(keys)
    before = tickets.issue(JOB, NOW + 60)
    keys.name = "k2"
    after = tickets.issue(JOB, NOW + 60)
    assert (before[:3], after[:3]) == ("k1.", "k2.")
    for ticket in (before, after):
        tickets.check(JOB, ticket, NOW)
    del keys.keys["k1"]
    tickets.check(JOB, after, NOW)
    assert refused(tickets, before) == "ticket_invalid"


def test_the_key_name_is_signed_too() -> None:
    same = b"one key under two names"
    tickets = Tickets(Keys(k1=same, k2=same))
    assert refused(tickets, "k2" + tickets.issue(JOB, NOW + 60)[2:]) == "ticket_invalid"


def test_malformed_tickets_are_refused_without_a_look_at_any_key() -> None:
    keys = Keys()
    for ticket in ("", "x", "a.b.c", "k1.1", "." * 500, "k1." + "9" * 50 + "." + "A" * 43, "k1.5." + "A" * 42):
        refused(Tickets(keys), ticket)
    assert keys.asked == 0


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[Any] = []
    genuine = hmac.compare_digest

    def compare(a: Any, b: Any) -> bool:
        compared.append((a, b))
        return bool(genuine(a, b))

    monkeypatch.setattr("graphjobs.auth.tickets.hmac.compare_digest", compare)
    tickets = Tickets(Keys())
    good = tickets.issue(JOB, NOW + 60)
    tickets.check(JOB, good, NOW)
    refused(tickets, good[:-43] + "A" * 43)
    signature = good.rpartition(".")[2].encode()
    assert compared == [(signature, signature), (signature, b"A" * 43)]
    monkeypatch.setattr("graphjobs.auth.tickets.hmac.compare_digest", lambda a, b: False)
    assert refused(tickets, good) == "ticket_invalid", "nothing but this comparison decides"


def test_the_signature_is_a_whole_hmac_sha256() -> None:
    signature = Tickets(Keys()).issue(JOB, NOW).rpartition(".")[2]
    assert len(base64.urlsafe_b64decode(signature + "=")) == 32


@pytest.mark.parametrize(
    ("deadline", "valid"),
    [
        (NOW + 3600, 3600 + AFTER_DEADLINE_SECONDS),
        (NOW + 7 * 86400, MAX_SECONDS),
        (NOW - 3600, AFTER_DEADLINE_SECONDS),
    ],
    ids=["running", "a week", "over"],
)
def test_a_ticket_is_valid_to_the_deadline_and_some_and_12_hours_at_most(deadline: int, valid: int) -> None:
    job = Job(
        job_id=JOB,
        owner="user-1",
        graph="chat",
        status=Status.RUNNING,
        created_at=NOW * 1000,
        deadline_at=deadline * 1000,
        expires_at=deadline + 86400,
    )
    assert expires_at(job, NOW) == NOW + valid


def test_no_key_is_in_a_repr() -> None:
    assert "first key" not in repr(Tickets(Keys()))
