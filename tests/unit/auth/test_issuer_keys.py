"""The issuer's keys: found, kept, rotated, and asked for no more often than needed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphjobs.auth.jwks import FRESHNESS, Jwks
from graphjobs.auth.principal import AuthError, AuthUnavailable
from tests.support.issuer import ISSUER, Issuer, rsa_key, segment


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def integer(value: int) -> str:
    return segment(value.to_bytes((value.bit_length() + 7) // 8))


def test_the_keys_are_found_by_discovery(issuer: Issuer) -> None:
    assert issuer.jwks().key("k1") is not None
    assert issuer.fetched == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


def test_a_slash_at_the_issuers_end_is_not_doubled(issuer: Issuer) -> None:
    Jwks(ISSUER + "/", fetch=issuer.fetch).key("k1")
    assert issuer.fetched[0] == f"{ISSUER}/.well-known/openid-configuration"


def test_a_fixed_address_saves_the_discovery(issuer: Issuer) -> None:
    assert issuer.jwks(f"{ISSUER}/keys").key("k1") is not None
    assert issuer.fetched == [f"{ISSUER}/keys"]


def test_keys_are_fetched_once_and_kept_for_an_hour(issuer: Issuer) -> None:
    jwks = issuer.jwks("https://x/keys")
    for _ in range(50):
        jwks.key("k1")
    assert len(issuer.fetched) == 1
    issuer.monotonic.advance(FRESHNESS.fresh_seconds)
    jwks.key("k1")
    assert len(issuer.fetched) == 2


def test_a_new_key_is_seen_as_soon_as_a_token_names_it(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token())
    issuer.published = ["k1", "k2"]
    issuer.kid = "k2"
    issuer.monotonic.advance(FRESHNESS.reload_seconds)
    assert verifier.verify(issuer.token()).sub == "user-1"
    assert len(issuer.fetched) == 2


def test_a_key_that_was_taken_out_is_refused_once_the_keys_are_fetched_again(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token())
    issuer.published = ["k2"]
    issuer.monotonic.advance(FRESHNESS.fresh_seconds)
    with pytest.raises(AuthError):
        verifier.verify(issuer.token())


def test_a_flood_of_unknown_key_names_fetches_once_a_period(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token())
    for number in range(300):
        issuer.monotonic.advance(0.1)
        with pytest.raises(AuthError):
            verifier.verify(issuer.token(headers={"kid": f"invented-{number}"}))
    assert len(issuer.fetched) <= 1 + 300 * 0.1 / FRESHNESS.reload_seconds + 1


def test_keys_at_hand_outlive_an_outage(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    token = issuer.token()
    verifier.verify(token)
    issuer.down = True
    for _ in range(20):
        issuer.monotonic.advance(FRESHNESS.fresh_seconds)
        assert verifier.verify(token).sub == "user-1"
    issuer.down, issuer.published = False, ["k2"]
    issuer.monotonic.advance(FRESHNESS.reload_seconds)
    with pytest.raises(AuthError):
        verifier.verify(token)


def test_an_unknown_key_during_an_outage_is_unavailable_and_not_a_refusal(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token())
    issuer.down, issuer.kid = True, "k2"
    issuer.monotonic.advance(FRESHNESS.reload_seconds)
    for _ in range(2):  # the second without asking again: what failed a moment ago is not known to be absent
        with pytest.raises(AuthUnavailable):
            verifier.verify(issuer.token())
    assert len(issuer.fetched) == 2


def test_the_issuer_is_asked_again_soon_after_an_outage(issuer: Issuer) -> None:
    verifier = issuer.verifier()
    issuer.down = True
    with pytest.raises(AuthUnavailable):
        verifier.verify(issuer.token())
    issuer.down = False
    issuer.monotonic.advance(1.0)
    assert verifier.verify(issuer.token()).sub == "user-1"


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"{}", b"[]", b'{"keys": null}', b'{"keys": 5}', b"[" * 100_000, b"\xff\xfe\xfd"]
)
def test_a_document_of_another_form_is_unavailable(document: bytes) -> None:
    with pytest.raises(AuthUnavailable):
        Jwks(ISSUER, "https://x/keys", fetch=lambda url: document).key("k1")


@pytest.mark.parametrize("discovery", [b"{}", b"[]", b'"text"', b'{"issuer": "x"}'])
def test_a_discovery_document_without_an_address_is_unavailable(discovery: bytes) -> None:
    with pytest.raises(AuthUnavailable):
        Jwks(ISSUER, fetch=lambda url: discovery).key("k1")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://x/keys", "//x/keys", "data:,{}", "gopher://x"])
def test_only_http_addresses_are_fetched(address: str) -> None:
    """The address comes from the discovery document: it must not read files of ours."""
    with pytest.raises(AuthUnavailable):
        Jwks(ISSUER, address).key("k1")


def test_keys_that_must_not_sign_tokens_are_passed_over(issuer: Issuer) -> None:
    good = issuer.document()["keys"][0]
    numbers = rsa_key("small", 1024).public_key().public_numbers()
    passed_over: list[Any] = [
        {**good, "kid": "encryption", "use": "enc"},
        {**good, "kid": "symmetric", "kty": "oct", "k": "c2VjcmV0"},
        {**good, "kid": 5},
        {name: value for name, value in good.items() if name != "kid"},
        {**good, "kid": "short", "n": integer(numbers.n)},
        {**good, "kid": "even", "e": integer(4)},
        {**good, "kid": "garbled", "n": "!"},
        {**good, "kid": "not text", "n": 17},
        {"kty": "RSA", "kid": "empty"},
        "text",
        None,
    ]
    issuer.extra_keys = passed_over
    jwks = issuer.jwks("https://x/keys")
    assert jwks.key("k1") is not None
    for key in passed_over:
        kid = key.get("kid") if isinstance(key, dict) else None
        if isinstance(kid, str) and kid != "k1":
            assert jwks.key(kid) is None, kid


def test_a_key_without_a_use_signs(issuer: Issuer) -> None:
    bare = {name: value for name, value in issuer.document()["keys"][0].items() if name not in ("use", "alg")}
    document = json.dumps({"keys": [bare]}).encode()
    assert Jwks(ISSUER, "https://x/keys", fetch=lambda url: document).key("k1") is not None
