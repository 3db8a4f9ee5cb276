"""Bearer tokens: what is accepted, and everything that must not be."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from graphjobs.auth.jwt_auth import MAX_TOKEN_LENGTH
from graphjobs.auth.principal import AuthError, AuthUnavailable
from tests.support.issuer import AUDIENCE, ISSUER, NOW, Issuer, public_pem, rsa_key, segment


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def refused(issuer: Issuer, token: str, code: str = "token_invalid") -> None:
    """The token is refused, and neither the error nor its cause quotes it."""
    with pytest.raises(AuthError) as caught:
        issuer.verifier().verify(token)
    assert caught.value.code == code
    assert caught.value.__cause__ is None
    if len(token) > 20:
        assert token not in str(caught.value) and token[:20] not in str(caught.value)


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512"])
def test_a_good_token_names_the_caller(issuer: Issuer, algorithm: str) -> None:
    assert issuer.verifier().verify(issuer.token(algorithm=algorithm)).sub == "user-1"


def test_an_unsigned_token_is_refused(issuer: Issuer) -> None:
    for alg in ("none", "None", "NONE", ""):
        unsigned = f"{segment({'alg': alg, 'kid': 'k1'})}.{segment(issuer.claims())}"
        refused(issuer, f"{unsigned}.")
        refused(issuer, f"{unsigned}.{issuer.token().rpartition('.')[2]}")
    assert not issuer.fetched, "an algorithm that is never accepted costs no look at the keys"


@pytest.mark.parametrize("key", ["pem", "pem without its last line break", "modulus"])
def test_a_token_signed_with_the_public_key_as_a_shared_secret_is_refused(issuer: Issuer, key: str) -> None:
    public = rsa_key("k1")
    secrets = {
        "pem": public_pem(public),
        "pem without its last line break": public_pem(public).rstrip(),
        "modulus": issuer.document()["keys"][0]["n"].encode(),
    }
    signed = f"{segment({'alg': 'HS256', 'kid': 'k1'})}.{segment(issuer.claims())}"
    signature = hmac.new(secrets[key], signed.encode(), hashlib.sha256).digest()
    refused(issuer, f"{signed}.{segment(signature)}")


@pytest.mark.parametrize("named", ["PS256", "HS256", "ES256", "EdDSA", "RS1", ["RS256"], None, 256])
def test_another_algorithm_in_the_header_is_refused(issuer: Issuer, named: Any) -> None:
    refused(issuer, issuer.token(headers={"alg": named}))


def test_the_algorithm_of_the_header_is_the_one_that_must_verify(issuer: Issuer) -> None:
    refused(issuer, issuer.token(algorithm="RS512", headers={"alg": "RS256"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.test"},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"aud": "other"},
        {"aud": AUDIENCE.upper()},
        {"aud": ["other", "another"]},
        {"aud": []},
        {"aud": ""},
        {"aud": {AUDIENCE: 1}},
        {"aud": [[AUDIENCE]]},
        {"aud": None},
        {"aud": None, "client_id": "other"},
        {"aud": None, "client_id": {}},
        {"aud": "other", "client_id": AUDIENCE},
        {"iss": None},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 17},
        {"sub": ["user-1"]},
        {"exp": float("inf")},
        {"exp": True},
        {"exp": str(NOW + 600)},
        {"exp": [NOW + 600]},
        {"nbf": NOW + 1},
        {"nbf": float("nan")},
        {"nbf": "0"},
        {"iat": NOW + 1},
        {"iat": float("nan")},
        {"iat": False},
    ],
    ids=str,
)
def test_a_signed_token_with_a_wrong_claim_is_refused(issuer: Issuer, changes: dict[str, Any]) -> None:
    refused(issuer, issuer.token(**changes))


def test_null_audiences_are_no_audience(issuer: Issuer) -> None:
    """`aud` that is there counts, whatever it holds: `client_id` is looked at only where there is none."""
    claims = issuer.claims() | {"aud": None, "client_id": AUDIENCE}
    good = issuer.token()
    signed = f"{good.split('.')[0]}.{segment(claims)}"
    refused(issuer, issuer.signed(signed))


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", AUDIENCE]},
        {"aud": [17, AUDIENCE]},
        {"aud": None, "client_id": AUDIENCE},
        {"aud": AUDIENCE, "client_id": "other"},
        {"nbf": NOW, "iat": NOW},
        {"iat": None},
        {"exp": NOW + 0.5},
        {"exp": 10**300},
    ],
    ids=str,
)
def test_a_signed_token_with_right_claims_is_accepted(issuer: Issuer, changes: dict[str, Any]) -> None:
    assert issuer.verifier().verify(issuer.token(**changes)).sub == "user-1"


def test_any_of_several_audiences_is_right(issuer: Issuer) -> None:
    verifier = issuer.verifier("first", "second")
    assert verifier.verify(issuer.token(aud="second")).sub == "user-1"
    with pytest.raises(AuthError):
        verifier.verify(issuer.token())


@pytest.mark.parametrize("exp", [NOW, NOW - 1, 0, -1, float("-inf"), float("nan")])
def test_an_expired_token_is_told_apart(issuer: Issuer, exp: float) -> None:
    refused(issuer, issuer.token(exp=exp), "token_expired")


def test_a_changed_claim_or_signature_is_refused(issuer: Issuer) -> None:
    head, _, signature = issuer.token().split(".")
    refused(issuer, f"{head}.{segment(issuer.claims(sub='user-2'))}.{signature}")
    flipped = ("A" if signature[10] != "A" else "B").join([signature[:10], signature[11:]])
    refused(issuer, f"{head}.{segment(issuer.claims())}.{flipped}")
    refused(issuer, f"{head}.{segment(issuer.claims())}.")


@pytest.mark.parametrize(
    "headers",
    [
        {"crit": ["b64"], "b64": True},
        {"crit": []},
        {"kid": None},
        {"kid": 7},
        {"kid": ["k1"]},
        {"kid": "unknown"},
        {"jwk": {"kty": "oct", "k": "AAAA"}, "kid": "unknown"},
        {"jku": "https://evil.example.test/keys", "kid": "unknown"},
    ],
    ids=str,
)
def test_a_header_that_asks_for_something_else_is_refused(issuer: Issuer, headers: dict[str, Any]) -> None:
    refused(issuer, issuer.token(headers=headers))
    assert set(issuer.fetched) <= {f"{ISSUER}/keys"}, "only our issuer is ever asked"


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        ".",
        "..",
        "...",
        "a.b.c",
        "eyJhbGciOiJSUzI1NiJ9",
        "\x00.\x00.\x00",
        f"{segment([])}.{segment({})}.AAAA",
        f"{segment('text')}.{segment({})}.AAAA",
        f"{segment(b'[' * 5000)}.{segment({})}.AAAA",
        f"{segment(bytes(range(128, 256)))}.{segment({})}.AAAA",
    ],
    ids=lambda token: repr(token[:20]),
)
def test_what_is_no_token_is_refused(issuer: Issuer, token: str) -> None:
    refused(issuer, token)
    assert not issuer.fetched


def test_text_outside_ascii_is_refused_before_anything_is_decoded(issuer: Issuer) -> None:
    refused(issuer, issuer.token() + "é")
    refused(issuer, "가" * 100)
    refused(issuer, issuer.token().replace(".", "．"))


@pytest.mark.parametrize(
    "payload", [b"[" * 8000, b"not json", b"[]", b"17", b"\xff" * 30], ids=lambda raw: repr(raw[:8])
)
def test_signed_claims_that_are_no_object_are_refused(issuer: Issuer, payload: bytes) -> None:
    head = issuer.token().split(".")[0]
    refused(issuer, issuer.signed(f"{head}.{segment(payload)}"))


def test_a_token_over_the_size_limit_is_refused_though_it_is_signed(issuer: Issuer) -> None:
    fits = issuer.token(note="n" * 9000)
    assert len(fits) <= MAX_TOKEN_LENGTH and issuer.verifier().verify(fits)
    oversize = issuer.token(note="n" * MAX_TOKEN_LENGTH)
    issuer.fetched.clear()
    refused(issuer, oversize)
    assert not issuer.fetched


def test_a_number_too_long_to_be_read_is_refused_and_does_not_crash(issuer: Issuer) -> None:
    text = json.dumps(issuer.claims()).replace(str(NOW + 600), "9" * 5000)
    head = issuer.token().split(".")[0]
    refused(issuer, issuer.signed(f"{head}.{segment(text.encode())}"))


def test_an_issuer_that_is_down_is_unavailable_and_not_a_refusal(issuer: Issuer) -> None:
    issuer.down = True
    with pytest.raises(AuthUnavailable) as caught:
        issuer.verifier().verify(issuer.token())
    assert not isinstance(caught.value, AuthError)


def test_what_could_never_be_accepted_is_refused_even_while_the_issuer_is_down(issuer: Issuer) -> None:
    issuer.down = True
    refused(issuer, f"{segment({'alg': 'none'})}.{segment(issuer.claims())}.")
