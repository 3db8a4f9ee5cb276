"""Who may: tokens, tickets, and other people's jobs, on every route."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from graphjobs.local.issuer import ensure_key, key_id, sign
from tests.e2e.user import User, ticket_in
from tests.support.instance import Target

pytestmark = pytest.mark.e2e

ROUTES = [
    ("POST", "/jobs"),
    ("GET", "/jobs"),
    ("GET", "/jobs/{job_id}/status"),
    ("POST", "/jobs/{job_id}/cancel"),
    ("DELETE", "/jobs/{job_id}"),
    ("POST", "/jobs/{job_id}/stream-ticket"),
]
JOB_ROUTES = [route for route in ROUTES if "{job_id}" in route[1]]


def _altered(target: Target) -> str:
    """Another subject under the old signature."""
    header, claims, signature = target.token("user-1").split(".")
    members = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(members | {"sub": "user-2"}).encode()).decode().rstrip("=")
    return f"{header}.{forged}.{signature}"


def _unsigned(target: Target) -> str:
    claims = jwt.decode(target.token("user-1"), options={"verify_signature": False})
    return jwt.encode(claims, "", algorithm="none")


def _issued(target: Target, *, seconds: int = 600, own_key: bool = False, **claims: object) -> str:
    """A token as the local issuer signs it, with some of its claims replaced."""
    key = ensure_key(target.need_state_dir())
    if not own_key:
        return sign(key, str(target.facts()["issuer"]), "user-1", seconds, **claims)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = int(time.time())
    members = {"iss": target.facts()["issuer"], "sub": "user-1", "aud": "graphjobs-local", "iat": now, "exp": now + 600}
    return jwt.encode(members, other, algorithm="RS256", headers={"kid": key_id(key)})


def _keyed_by_text(target: Target) -> str:
    """HS256 with what everybody knows as the key."""
    claims = jwt.decode(target.token("user-1"), options={"verify_signature": False})
    kid = jwt.get_unverified_header(target.token("user-1"))["kid"]
    return jwt.encode(claims, str(kid) * 4, algorithm="HS256", headers={"kid": kid})


BAD_TOKENS: dict[str, Callable[[Target], str | None]] = {
    "none": lambda target: None,
    "empty": lambda target: "",
    "not a JWT": lambda target: "letmein",
    "cut short": lambda target: target.token("user-1")[:-4],
    "altered": _altered,
    "unsigned": _unsigned,
    "HS256": _keyed_by_text,
    "expired": lambda target: _issued(target, seconds=-5),
    "not yet valid": lambda target: _issued(target, nbf=int(time.time()) + 600),
    "of another key": lambda target: _issued(target, own_key=True),
    "of another issuer": lambda target: _issued(target, iss="https://evil.example"),
    "for another audience": lambda target: _issued(target, aud="somebody-else"),
    "without a subject": lambda target: _issued(target, sub=""),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_a_bad_token_opens_no_route(user: User, a_job: str, name: str) -> None:
    """Given no token or one that is not good, then 401 on the API and on the stream alike, and nothing happens."""
    token = BAD_TOKENS[name](user.target)
    headers = {} if token is None else {"Authorization": f"Bearer {token}".strip()}
    user.target.secrets.update([token] if token and token.count(".") == 2 else [])
    newest = user.newest()
    for method, path in ROUTES:
        body = {"query": "q"} if (method, path) == ("POST", "/jobs") else None
        url = user.target.api_url + path.format(job_id=a_job)
        answer = user.http.request(method, url, json=body, headers=headers)
        assert answer.status_code == 401, f"{method} {path}"
    with user.stream(a_job, headers=headers) as connection:
        connection.response.read()
        assert connection.response.status_code == 401
        assert connection.response.headers["www-authenticate"] == "Bearer"
        assert connection.response.json()["code"] in ("unauthorized", "token_invalid", "token_expired")
    assert user.newest() == newest


def _same(one: httpx.Response, other: httpx.Response, ids: Mapping[str, str]) -> None:
    """The same answer to the byte, but for the job ids and the clock."""

    def shape(response: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
        text = response.text
        for job_id, name in ids.items():
            text = text.replace(job_id, name)
        varying = {"date", "x-amzn-requestid", "apigw-requestid", "x-amzn-trace-id"}
        headers = sorted((name, value) for name, value in response.headers.items() if name not in varying)
        return response.status_code, text, headers

    assert shape(one) == shape(other)


@pytest.mark.parametrize(("method", "path"), JOB_ROUTES)
def test_a_strangers_job_is_like_one_that_does_not_exist(
    user: User, stranger: User, a_job: str, method: str, path: str
) -> None:
    """Given another owner's job, then each route says exactly what it says of no job, and the job is left alone."""
    nobody = f"job-{uuid.uuid4()}"
    before = user.status(a_job)
    others = stranger.call(method, path.format(job_id=a_job))
    missing = stranger.call(method, path.format(job_id=nobody))
    assert others.status_code == 404
    assert others.json()["code"] == "job_not_found"
    _same(others, missing, {a_job: "ID", nobody: "ID"})
    for malformed in ("job-1", "%2e%2e", "JOB-" + a_job[4:], a_job + "%0a"):
        answer = stranger.call(method, path.format(job_id=malformed))
        assert answer.status_code == 404
    assert user.status(a_job) == before


def test_a_strangers_stream_is_like_one_that_does_not_exist(user: User, stranger: User, a_job: str) -> None:
    nobody = f"job-{uuid.uuid4()}"
    answers = []
    for job_id in (a_job, nobody):
        for after in (None, 5, 99_999):
            with stranger.stream(job_id, after=after) as connection:
                connection.response.read()
                answers.append(connection.response)
    assert {answer.status_code for answer in answers} == {404}
    for answer in answers[1:]:
        _same(answers[0], answer, {})
    assert answers[0].json()["code"] == "job_not_found"


def test_a_list_has_ones_own_jobs_only(user: User, stranger: User, a_job: str) -> None:
    theirs = stranger.start(query="hello")
    mine = [job["job_id"] for job in user.call("GET", "/jobs", params={"limit": 100}).json()["jobs"]]
    others = [job["job_id"] for job in stranger.call("GET", "/jobs", params={"limit": 100}).json()["jobs"]]
    assert theirs in others
    assert theirs not in mine
    assert a_job not in others


def test_a_ticket_opens_the_stream_of_its_job_without_a_token(user: User, a_job: str) -> None:
    events = user.follow(a_job)
    with user.stream(a_job, headers={}, params={"ticket": ticket_in(user.ticket_url(a_job))}) as connection:
        assert connection.rest().events == events


def _moved_expiry(ticket: str) -> str:
    kid, expiry, signature = ticket.split(".")
    return f"{kid}.{int(expiry) + 1}.{signature}"


def _other_key(ticket: str) -> str:
    return "k0." + ticket.partition(".")[2]


def _flipped(ticket: str) -> str:
    """One character of the signature changed, one whose bits all count."""
    head, _, signature = ticket.rpartition(".")
    return f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


TAMPERED: dict[str, Callable[[str], str]] = {
    "moved expiry": _moved_expiry,
    "other key": _other_key,
    "flipped": _flipped,
    "cut short": lambda ticket: ticket[:-1],
    "longer": lambda ticket: ticket + "A",
    "in words": lambda ticket: "open sesame",
    "leading zero": lambda ticket: ticket.replace(".", ".0", 1),
    "huge": lambda ticket: ticket * 50,
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_tampered_ticket_opens_nothing(user: User, a_job: str, name: str) -> None:
    ticket = TAMPERED[name](ticket_in(user.ticket_url(a_job)))
    with user.stream(a_job, headers={}, params={"ticket": ticket}) as connection:
        connection.response.read()
        assert connection.response.status_code == 401
        assert connection.response.json()["code"] == "ticket_invalid"


def test_a_ticket_opens_no_other_job_and_no_other_route(user: User, stranger: User, a_job: str) -> None:
    """Given a good ticket, then no other stream, existing or not, and no call of the API takes it."""
    ticket = ticket_in(user.ticket_url(a_job))
    mine, theirs = user.start(query="hello"), stranger.start(query="hello")
    for job_id in (mine, theirs, f"job-{uuid.uuid4()}"):
        with user.stream(job_id, headers={}, params={"ticket": ticket}) as connection:
            connection.response.read()
            assert connection.response.status_code == 401
            assert connection.response.json()["code"] == "ticket_invalid"
    for method, path in ROUTES:
        url = user.target.api_url + path.format(job_id=a_job)
        for headers in ({}, {"Authorization": f"Bearer {ticket}"}):
            answer = user.http.request(method, url, params={"ticket": ticket}, headers=headers)
            assert answer.status_code == 401


def test_a_ticket_does_not_help_a_bad_token(user: User, a_job: str) -> None:
    """Given both, then the token is what counts, as `Authorization` is what the caller says it is."""
    ticket = ticket_in(user.ticket_url(a_job))
    with user.stream(a_job, headers={"Authorization": "Bearer letmein"}, params={"ticket": ticket}) as connection:
        connection.response.read()
        assert connection.response.status_code == 401


@pytest.fixture
def a_job(user: User) -> str:
    """A job of the first user that has ended; one for all tests of a session."""
    key = user.target.api_url
    if key not in _JOBS:
        _JOBS[key] = user.start(query="hello")
        user.finished(_JOBS[key])
    return _JOBS[key]


_JOBS: dict[str, str] = {}
