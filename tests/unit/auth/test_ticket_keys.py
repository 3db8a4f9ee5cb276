"""The ticket keys in their secret: read seldom, rotated without a gap, and never shown."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from graphjobs.auth.principal import AuthError, AuthUnavailable
from graphjobs.auth.ticket_keys import FRESHNESS, SecretKeyring
from graphjobs.auth.tickets import Tickets
from graphjobs.core.job import new_job_id
from graphjobs.testing import FakeMonotonic
from graphjobs.testing.aws import client, empty_aws
from tests.support.faults import FAULTS, Faults, client_error

NOW = 1_800_000_000
JOB = new_job_id()
FIRST = "first-key-of-the-tests"
SECOND = "second-key-of-the-tests"


@dataclass
class Secret:
    """A secret, the keyring over it, and how often it was read."""

    client: Faults
    monotonic: FakeMonotonic
    keyring: SecretKeyring

    def put(self, text: str) -> None:
        self.client.client._client.put_secret_value(SecretId="tickets", SecretString=text)

    @property
    def reads(self) -> int:
        return self.client.calls.count("get_secret_value")


@pytest.fixture
def secret() -> Iterator[Secret]:
    with empty_aws():
        secrets = client("secretsmanager")
        secrets.create_secret(Name="tickets", SecretString=json.dumps({"current": "k1", "k1": FIRST}))
        faults, monotonic = Faults(secrets), FakeMonotonic()
        yield Secret(faults, monotonic, SecretKeyring(faults.client, "tickets", monotonic=monotonic))


def test_the_secret_is_read_once_in_five_minutes(secret: Secret) -> None:
    tickets = Tickets(secret.keyring)
    for _ in range(30):
        tickets.check(JOB, tickets.issue(JOB, NOW + 60), NOW)
    assert secret.reads == 1
    secret.monotonic.advance(FRESHNESS.fresh_seconds)
    tickets.issue(JOB, NOW)
    assert secret.reads == 2


def test_a_rotation_refuses_no_ticket_at_any_step(secret: Secret) -> None:
    """The steps of `ticket_keys`' page, with a second process that reads the secret later."""
    tickets = Tickets(secret.keyring)
    other = Tickets(SecretKeyring(secret.client.client, "tickets", monotonic=secret.monotonic))
    old = tickets.issue(JOB, NOW + 43200)
    other.check(JOB, old, NOW)
    secret.put(json.dumps({"current": "k1", "k1": FIRST, "k2": SECOND}))
    secret.monotonic.advance(FRESHNESS.fresh_seconds)
    assert other.issue(JOB, NOW).startswith("k1.")
    secret.put(json.dumps({"current": "k2", "k1": FIRST, "k2": SECOND}))
    tickets.check(JOB, old, NOW)
    new = Tickets(SecretKeyring(secret.client.client, "tickets", monotonic=secret.monotonic)).issue(JOB, NOW + 60)
    assert new.startswith("k2.")
    for process in (tickets, other):
        process.check(JOB, new, NOW)
        process.check(JOB, old, NOW)
    secret.put(json.dumps({"current": "k2", "k2": SECOND}))
    secret.monotonic.advance(FRESHNESS.fresh_seconds)
    tickets.check(JOB, new, NOW)
    with pytest.raises(AuthError):
        tickets.check(JOB, old, NOW)


def test_a_new_key_is_seen_as_soon_as_a_ticket_names_it(secret: Secret) -> None:
    tickets = Tickets(secret.keyring)
    tickets.issue(JOB, NOW)
    secret.put(json.dumps({"current": "k2", "k1": FIRST, "k2": SECOND}))
    new = Tickets(SecretKeyring(secret.client.client, "tickets")).issue(JOB, NOW + 60)
    secret.monotonic.advance(FRESHNESS.reload_seconds)
    tickets.check(JOB, new, NOW)


def test_a_flood_of_bad_tickets_makes_next_to_no_call(secret: Secret) -> None:
    tickets = Tickets(secret.keyring)
    good = tickets.issue(JOB, NOW + 60)
    before = secret.reads
    for number in range(200):
        secret.monotonic.advance(0.05)
        for bad in ("x", good[:-1], good[:-43] + "A" * 43, f"k{number}.5.{'A' * 43}"):
            with pytest.raises(AuthError):
                tickets.check(JOB, bad, NOW)
    assert secret.reads - before <= 1, "10 s of invented key names may reload the keys once at most"


def test_well_formed_bad_tickets_of_a_known_key_make_no_call(secret: Secret) -> None:
    tickets = Tickets(secret.keyring)
    good = tickets.issue(JOB, NOW + 60)
    secret.monotonic.advance(FRESHNESS.reload_seconds)
    for _ in range(200):
        with pytest.raises(AuthError):
            tickets.check(JOB, good[:-43] + "A" * 43, NOW)
    assert secret.reads == 1


@pytest.mark.parametrize("fault", [*FAULTS.values(), lambda: client_error("AccessDeniedException")])
def test_a_secret_that_cannot_be_read_is_unavailable_and_not_a_refusal(secret: Secret, fault: Any) -> None:
    secret.client.fail("get_secret_value", fault())
    with pytest.raises(AuthUnavailable):
        Tickets(secret.keyring).check(JOB, f"k1.5.{'A' * 43}", NOW)


def test_keys_at_hand_outlive_an_outage(secret: Secret) -> None:
    tickets = Tickets(secret.keyring)
    good = tickets.issue(JOB, NOW + 60)
    secret.client.fail("get_secret_value", client_error("InternalServiceError", 500), times=1000)
    for _ in range(5):
        secret.monotonic.advance(FRESHNESS.fresh_seconds)
        tickets.check(JOB, good, NOW)
        assert tickets.issue(JOB, NOW + 60) == good
    assert secret.reads > 1


SENSITIVE = "sensitive-key-text-0123456789"
MALFORMED = {
    "not JSON": SENSITIVE,
    "cut short": f'{{"current": "k1", "k1": "{SENSITIVE}',
    "only a text": json.dumps(SENSITIVE),
    "a list": json.dumps([SENSITIVE]),
    "no current": json.dumps({"k1": SENSITIVE}),
    "current names no key": json.dumps({"current": "k2", "k1": SENSITIVE}),
    "current names itself": json.dumps({"current": "current", "k1": SENSITIVE}),
    "a key is no text": json.dumps({"current": "k1", "k1": [SENSITIVE]}),
    "a short key": json.dumps({"current": "k1", "k1": SENSITIVE, "k2": "sensitive-"}),
    "a key name with a dot": json.dumps({"current": "k.1", "k.1": SENSITIVE}),
    "no key name": json.dumps({"current": "", "": SENSITIVE}),
    "empty object": "{}",
    "brackets": "[" * 50_000 + "sensitive-",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_secret_is_unavailable_and_nothing_of_it_is_shown(secret: Secret, text: str) -> None:
    secret.put(text)
    with pytest.raises(AuthUnavailable) as caught:
        secret.keyring.current()
    shown = "".join(traceback.format_exception(caught.value, chain=True)) + repr(caught.value)
    error: BaseException | None = caught.value
    while error is not None:
        shown += repr(error.args) + repr(vars(error))
        error = error.__cause__ or error.__context__
    assert "sensitive-" not in shown


def test_no_key_is_in_a_repr(secret: Secret) -> None:
    secret.keyring.current()
    assert FIRST not in repr(secret.keyring) + repr(Tickets(secret.keyring)) + repr(secret.keyring._cache.keys())
