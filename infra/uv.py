"""The uv command: locked requirements out of uv.lock, and wheels of another platform without Docker."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OF_MAKE = Path(__file__).resolve().parent.parent / ".tools" / "bin" / "uv"
"""Where `make install` puts uv on a machine that has none."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
GLIBC = "manylinux_2_28"
"""What Lambda's Amazon Linux 2023 can run; older tags have no wheels of current numpy."""


class UvError(RuntimeError):
    """uv is missing or failed; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What wheels are wanted for: a Python version (``3.13``) and uv's name of a platform; None is this machine."""

    python: str
    name: str | None

    @classmethod
    def of_lambda(cls, runtime: str, architecture: str) -> Platform:
        """The platform of a Lambda runtime such as ``python3.13`` on ``arm64``."""
        return cls(runtime.removeprefix("python"), f"{MACHINES[architecture]}-{GLIBC}")

    @classmethod
    def of_host(cls) -> Platform:
        """This machine and this interpreter."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", None)


def command() -> list[str]:
    """How to call uv: the one that runs us (it sets UV), beside this interpreter, on the PATH, of make, or as a module.

    Raises:
        UvError: there is none.
    """
    for candidate in (os.environ.get("UV"), str(Path(sys.prefix, "bin", "uv")), shutil.which("uv"), str(OF_MAKE)):
        if candidate and Path(candidate).exists():
            return [candidate]
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    raise UvError("uv was not found: run make install, or install it (https://docs.astral.sh/uv/).")


def export(root: Path, group: str) -> str:
    """The locked requirements of a dependency group, with hashes, as a requirements file."""
    options = ["--frozen", "--no-emit-project", "--no-header", "--no-annotate"]
    return _run(["export", "--only-group", group, *options], root)


def install(target: Path, platform: Platform, sources: Sequence[str], *, root: Path) -> None:
    """Install wheels (never building any) into `target`; `sources` are arguments of ``uv pip install``."""
    where = ["--target", str(target), "--python-version", platform.python]
    if platform.name:
        where += ["--python-platform", platform.name]
    _run(["pip", "install", "--quiet", "--no-config", *where, "--only-binary", ":all:", *sources], root)


def find_python(version: str) -> str | None:
    """The path of uv's own Python of `version`; None if it has none."""
    options = ["--no-config", "--no-project", "--managed-python", "--no-python-downloads"]
    done = _call(["python", "find", *options, version])
    return done.stdout.strip() if done.returncode == 0 else None


def install_python(version: str) -> bool:
    """Have uv get a Python of `version`; False where it cannot, such as on a machine without the internet."""
    return _call(["python", "install", "--no-config", "--quiet", "--no-bin", version]).returncode == 0


def _call(arguments: Sequence[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command(), *arguments], cwd=cwd, capture_output=True, text=True)


def _run(arguments: Sequence[str], root: Path) -> str:
    done = _call(arguments, root)
    if done.returncode != 0:
        raise UvError(f"uv {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
