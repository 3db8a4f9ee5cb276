"""The whole of it with curl and nothing else, as the README shows it."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.e2e.user import User, ticket_in
from tests.e2e.wire import Event, check_whole, parsed

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]

CURL = ["curl", "--silent", "--show-error", "--noproxy", "127.0.0.1", "--max-time", "60"]
TIMED_OUT = 28


def curl(*arguments: str) -> bytes:
    """What curl prints; it has to succeed."""
    return subprocess.run([*CURL, *arguments], check=True, capture_output=True, timeout=90).stdout


def submit(user: User, **body: Any) -> dict[str, Any]:
    """Submit a job with curl."""
    job: dict[str, Any] = json.loads(
        curl(
            *("-H", f"Authorization: Bearer {user.target.token(user.name)}"),
            *("-H", "Content-Type: application/json"),
            *("-d", json.dumps(body, ensure_ascii=False)),
            f"{user.target.api_url}/jobs",
        )
    )
    user.target.secrets.add(ticket_in(job["stream_url"]))
    return job


def cut_after_events(url: str, count: int) -> list[Event]:
    """The events of a curl that is killed in full flow, when it has shown `count`."""
    command = [*CURL, "--no-buffer", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        body = b""
        while len(parsed(body).events) < count:
            line = process.stdout.readline()
            assert line, "the stream ended before it was cut"
            body += line
        process.kill()
        body += process.stdout.read()
    return parsed(body).events


def test_an_answer_is_followed_cut_and_resumed(user: User) -> None:
    """Given `환불 정책 알려줘`, when curl is killed and started again with `after`, then the pieces are the log."""
    job = submit(user, query="환불 정책 알려줘")
    first = cut_after_events(job["stream_url"], 5)
    assert first[-1]["type"] != "done", "it was not live"
    rest = parsed(curl("--no-buffer", f"{job['stream_url']}&after={first[-1]['seq']}")).events
    check_whole(first + rest)
    user.check_log(job["job_id"], first + rest)
    text = "".join(event["data"]["text"] for event in first + rest if event["type"] == "token")
    assert "환불" in text
    status = json.loads(curl("-H", f"Authorization: Bearer {user.target.token(user.name)}", job["status_url"]))
    assert (status["status"], status["last_seq"]) == ("completed", len(first + rest))


def test_a_long_report_is_followed_in_many_pieces(user: User) -> None:
    """Given a long report, when curl gives up every half second, then its pieces are the log."""
    job = submit(user, query="환불 정책 알려줘", graph="report", input={"sections": 5, "delay_seconds": 0.25})
    received: list[Event] = []
    cuts = 0
    while not received or received[-1]["type"] != "done":
        after = received[-1]["seq"] if received else 0
        command = [*CURL, "--no-buffer", "--max-time", "0.5", f"{job['stream_url']}&after={after}"]
        piece = subprocess.run(command, capture_output=True, timeout=90)
        assert piece.returncode in (0, TIMED_OUT), piece.stderr.decode()
        cuts += piece.returncode == TIMED_OUT
        received += parsed(piece.stdout).events
    assert cuts >= 2
    check_whole(received)
    user.check_log(job["job_id"], received)


def test_a_job_is_cancelled(user: User) -> None:
    job = submit(user, query="hello", graph="report", input={"delay_seconds": 30})
    bearer = f"Authorization: Bearer {user.target.token(user.name)}"
    answer = json.loads(curl("-X", "POST", "-H", bearer, job["cancel_url"]))
    assert answer["status"] in ("cancelling", "cancelled")
    events = parsed(curl("--no-buffer", "-H", bearer, job["stream_url"].partition("?")[0])).events
    assert events[-1]["data"]["status"] == "cancelled"
