"""The uv command: locked requirements out of uv.lock, and wheels of another platform without Docker."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OF_MAKE = Path(__file__).resolve().parents[3] / ".tools" / "bin" / "uv"
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

    @property
    def options(self) -> list[str]:
        """As options of ``uv pip``."""
        return ["--python-version", self.python, *(["--python-platform", self.name] if self.name else [])]

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


def export(root: Path, *groups: str) -> str:
    """The locked requirements of dependency groups, with hashes, as a requirements file; of no group: everything."""
    which = [f"--only-group={group}" for group in groups] or ["--all-groups", "--all-extras"]
    return _run(["export", *which, "--frozen", "--no-emit-local", "--no-header", "--no-annotate"], root)


def locked(root: Path) -> str:
    """As `export` of everything, if there is a ``uv.lock`` in `root`; else empty."""
    return export(root) if (root / "uv.lock").is_file() else ""


@dataclass(frozen=True, slots=True)
class Files:
    """What `compile_pins` reads and writes.

    Attributes:
        wanted: a requirements file.
        chosen: versions that are preferred; the result is written there.
        replaced: requirements that stand in for others of the same names (uv's overrides).
        root: a folder whose settings for uv apply, such as the index.
    """

    wanted: Path
    chosen: Path
    replaced: Path
    root: Path


def compile_pins(files: Files, platform: Platform, *, build: bool, python: str | None = None) -> str:
    """Versions for what is wanted, as a requirements file with hashes. Without `build` only wheels are taken."""
    options = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", *platform.options]
    options += ["--python", python] if python else []
    options += [] if build else ["--only-binary", ":all:"]
    paths = [str(files.wanted), "-o", str(files.chosen), "--overrides", str(files.replaced)]
    _run(["pip", "compile", *paths, *options], files.root)
    return files.chosen.read_text(encoding="utf-8")


def install(
    target: Path,
    platform: Platform,
    sources: Sequence[str],
    *,
    root: Path,
    build: bool = False,
    python: str | None = None,
) -> None:
    """Install into the folder `target`; `sources` are arguments of ``uv pip install``.

    Only wheels are taken, unless `build`. The settings for uv in the folder `root` apply, such as the index.
    """
    where = ["--target", str(target), *platform.options, *(["--python", python] if python else [])]
    where += [] if build else ["--only-binary", ":all:"]
    _run(["pip", "install", "--quiet", *where, *sources], root)


def freeze(python: str) -> str:
    """What the environment of `python` has installed from an index, as a requirements file."""
    lines = _run(["pip", "freeze", "--quiet", "--python", python], Path.cwd()).splitlines()
    return "".join(f"{line}\n" for line in lines if "==" in line)


def install_here(python: str, root: Path, requirements: str) -> None:
    """Install exactly these requirements into the environment of `python`; what else is there stays.

    The settings for uv in the folder `root` apply, such as the index.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "requirements.txt")
        file.write_text(requirements, encoding="utf-8")
        _run(["pip", "install", "--quiet", "--no-deps", "--python", python, "-r", str(file)], root)


def build_wheel(folder: Path, target: Path, *, python: str | None = None) -> Path:
    """Build the package in `folder`; the wheel is put into the folder `target`."""
    options = ["--wheel", "--quiet", "--out-dir", str(target), *(["--python", python] if python else [])]
    _run(["build", *options, str(folder)], folder)
    return next(target.glob("*.whl"))


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
