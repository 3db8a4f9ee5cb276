"""Programs from elsewhere: installed in an environment of their own, and told nothing of this project."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deploy.steps import Failed, run
from graphjobs.packages import uv

INSTALL_SECONDS: Final = 300.0


def installed(folder: Path, requirements: Path, log: Path, *, from_source: Sequence[str] = ()) -> Path:
    """The interpreter of the environment in `folder`, which is made when missing or of other requirements.

    Only wheels are installed, and of `from_source`, which have none, the sources; the hashes of both are checked.

    Raises:
        Failed: it could not be installed.
    """
    python = folder / "bin" / "python"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = folder / "requirements.sha256"
    if python.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == digest:
        return python
    venv.create(folder, clear=True, symlinks=True)
    options = ["--python", str(python), "--require-hashes", "--only-binary", ":all:"]
    for package in from_source:
        options += ["--no-binary", package]
    command = [*uv.command(), "pip", "install", "--no-config", *options, "-r", str(requirements)]
    run(command, log, seconds=INSTALL_SECONDS)
    stamp.write_text(digest, encoding="utf-8")
    return python


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environ(python: Path, folder: Path) -> dict[str, str]:
    """The little that a process needs whose environment must say nothing of this project or its user."""
    path = os.pathsep.join([str(python.parent), os.defpath])
    # The SDKs look for configuration at home: there must be none.
    return {"PATH": path, "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8", "NO_PROXY": "*"}


def wait_for(url: str, process: subprocess.Popen[bytes], name: str, seconds: float) -> None:
    """Wait until `url` answers.

    Raises:
        Failed: the process has ended, or the time has.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while True:
        try:
            opener.open(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None:
                raise Failed(f"{name} ended while it started (exit code {process.returncode})") from None
            if time.monotonic() > deadline:
                raise Failed(f"{name} was not ready after {seconds:.0f} s") from None
            time.sleep(0.1)
