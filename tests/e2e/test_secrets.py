"""Tokens and tickets are in nothing that the service writes, whatever is done with them."""

from __future__ import annotations

import pytest

from tests.e2e.secrets_check import check_no_secret_written
from tests.e2e.user import User, ticket_in

pytestmark = pytest.mark.e2e


def test_no_token_and_no_ticket_is_in_any_output_or_log(user: User, stranger: User) -> None:
    """Given tokens and tickets used well, badly, and where they do not belong, then none is in what was written."""
    target = user.target
    target.need_state_dir()
    job_id = user.start(query="hello")
    ticket = ticket_in(user.ticket_url(job_id))
    tampered = ticket[:-4] + "AAAA"
    token = target.token("user-1")
    mangled = token[:-4] + "AAAA"
    target.secrets |= {tampered, mangled, target.token("user-2")}
    user.finished(job_id)
    for value in (ticket, tampered, token, mangled):
        with user.stream(job_id, headers={}, params={"ticket": value}) as connection:
            connection.rest()
        for headers in ({"Authorization": f"Bearer {value}"}, {"Authorization": value}, {"Last-Event-ID": value}):
            with user.stream(job_id, headers=headers, params={"ticket": value}) as connection:
                connection.rest()
        for path in (f"/jobs?cursor={value}", f"/jobs/{value}/status", f"/{value}", f"/jobs?ticket={value}"):
            user.call("GET", path)
            user.http.get(target.api_url + path, headers={"Authorization": f"Bearer {value}"})
        for body in ({"graph": value, "query": "q"}, {value: "q"}, {"query": "q", "user_id": value}):
            user.call("POST", "/jobs", json=body)
        user.http.get(f"{target.stream_url}/stream/{value}", headers=stranger.bearer)
        user.http.get(f"{target.stream_url}/{value}?ticket={value}")
    written = target.written()
    assert any(job_id in text for text in written.values()), "the logs are not where this test looks"
    assert {"stdout.out", "stderr.out", "api.log", "stream.log", "worker-1.log"} <= written.keys()
    check_no_secret_written(target)
