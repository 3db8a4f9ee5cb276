"""What is said while nothing comes."""

from __future__ import annotations

import re
import time

import pytest

from graphjobs.cli import notices as module
from graphjobs.cli.event_view import JsonLines
from graphjobs.cli.notices import WAITING, Notices

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.005)


def said(capsys: Capture, lines: int) -> list[str]:
    """What was said, once there are so many lines."""
    text, end = "", time.monotonic() + 20
    while text.count("\n") < lines:
        assert time.monotonic() < end, text
        time.sleep(0.005)
        text += capsys.readouterr().err
    return text.splitlines()


def test_before_the_first_event_the_job_is_queued(capsys: Capture) -> None:
    with Notices(before_first=0.02, silence=60).following(JsonLines(), begun=False):
        assert said(capsys, 1) == [WAITING]
        time.sleep(0.1)
    assert capsys.readouterr().err == "", "once for a silence"


def test_each_silence_later_is_spoken_of(capsys: Capture) -> None:
    notices = Notices(before_first=60, silence=0.05)
    with notices.following(JsonLines(), begun=False):
        for _ in range(2):
            notices.heard()
            assert re.match(r"No event for \d+ s:", said(capsys, 1)[0])


def test_a_job_that_speaks_in_time_is_not_spoken_of(capsys: Capture) -> None:
    with Notices(before_first=60, silence=60).following(JsonLines(), begun=True):
        time.sleep(0.05)
    assert capsys.readouterr().err == ""
