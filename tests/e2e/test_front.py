"""What stands between a client and the stream's app: adapter, function URL or API Gateway, proxies.

On this machine there is little of it; `make smoke` runs these in an account (docs/DEPLOY.md, section 7).
"""

from __future__ import annotations

import pytest

from tests.e2e.user import User

pytestmark = pytest.mark.e2e

API_GATEWAY = ".execute-api."
ORIGIN = "https://app.example.com"
ANSWER_SECONDS = 20
"""For an answer that ends at once; one that does not takes a stream's whole window, 120 s and more."""


def stream_of(user: User, job_id: str) -> str:
    return f"{user.target.stream_url}/stream/{job_id}"


def test_the_app_has_been_started(user: User) -> None:
    if API_GATEWAY in user.target.stream_url:
        pytest.skip("behind API Gateway there is no such route")
    response = user.http.get(f"{user.target.stream_url}/healthz", timeout=ANSWER_SECONDS)
    assert (response.status_code, response.text) == (200, "ok")


def test_answers_without_a_body_end_at_once(user: User) -> None:
    """Given a job that is over, then 204 after its last event, and HEAD, do not hold the connection."""
    job_id = user.start(query="hello")
    last = user.follow(job_id)[-1]["seq"]
    after = {"after": str(last)}
    nothing = user.http.get(stream_of(user, job_id), headers=user.bearer, params=after, timeout=ANSWER_SECONDS)
    assert (nothing.status_code, nothing.content) == (204, b"")
    head = user.http.head(stream_of(user, job_id), headers=user.bearer, timeout=ANSWER_SECONDS)
    assert (head.status_code, head.content) == (200, b"")


def test_events_arrive_while_their_job_runs(user: User) -> None:
    """Given a job of some seconds, when its first events have arrived, then it still runs: nothing gathers them."""
    job_id = user.start(query="tell me more", graph="report", input={"sections": 12})
    with user.stream(job_id) as connection:
        connection.until(lambda wire: len(wire.events) >= 3)
        assert user.status(job_id)["status"] == "running"
    user.cancel(job_id)


def test_one_origin_is_allowed_once(user: User) -> None:
    """Given a page of another origin, then CORS is answered by the app or by what is before it, never by both."""
    job_id = user.start(query="hello")
    user.follow(job_id)
    response = user.http.get(stream_of(user, job_id), headers={**user.bearer, "Origin": ORIGIN}, params={"after": "0"})
    assert response.headers.get_list("access-control-allow-origin") in ([ORIGIN], ["*"])
