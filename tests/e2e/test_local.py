"""``graphjobs local`` as other programs start it: it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import GRAPHS
from tests.support.instance import VARIABLE

pytestmark = pytest.mark.skipif(VARIABLE in os.environ, reason="of the local instance alone")

PARENT = """
import json, os, sys, time
from graphjobs.cli.local_process import LocalProcess, local_command
with LocalProcess(local_command("--workers", "1", "--config", sys.argv[1]), os.environ) as process:
    facts = process.ready(90)
    print(json.dumps([process._process.pid, *(facts["pids"][n] for n in ("api", "stream", "emulator", "scheduler")),
                      *facts["pids"]["workers"]]), flush=True)
    time.sleep(600)
"""
PATIENCE_SECONDS = 30


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_instance_does_not_outlive_the_program_that_started_it(tmp_path: Path) -> None:
    """Given a program with an instance, when it is killed, then no process of the instance is left."""
    environ = {**os.environ, "GRAPHJOBS_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PARENT, str(GRAPHS)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        assert len(pids) == 6 and all(alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + PATIENCE_SECONDS
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)
