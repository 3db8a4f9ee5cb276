"""A checkout of each project, and an environment for each with graphjobs and the project's packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compat.projects import Project
from graphjobs.packages import uv

ROOT: Final = Path(__file__).resolve().parent.parent
LEFT_OUT: Final = shutil.ignore_patterns(".git", ".venv", "node_modules")


class NotPrepared(Exception):
    """A project cannot be had or installed; the message says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that can be run.

    Attributes:
        config: its ``langgraph.json``.
        python: the interpreter of its environment.
    """

    config: Path
    python: Path


def prepare(project: Project, folder: Path, source: Path | None) -> Prepared:
    """Put the project and its environment below `folder`; a checkout that is there is used as it is.

    Args:
        project: which.
        folder: for this project alone.
        source: a folder with checkouts by name, in place of GitHub.

    Raises:
        NotPrepared: it cannot be fetched, or its packages cannot be installed.
    """
    checkout, environment = folder / "project", folder / "env"
    if source is not None:
        shutil.rmtree(checkout, ignore_errors=True)
        shutil.copytree(source / project.name, checkout, ignore=LEFT_OUT)
    elif not checkout.is_dir():
        _run(["git", "clone", "--quiet", "--depth", "1", f"https://github.com/{project.repository}", str(checkout)])
    if not environment.is_dir():
        _run([*uv.command(), "venv", "--quiet", str(environment)])
    python = environment / "bin" / "python"
    _run([*uv.command(), "pip", "install", "--quiet", "--python", str(python), "-e", f"{ROOT}[local]"])
    config = checkout / "langgraph.json"
    variables = {**os.environ, "UV": uv.command()[0]}
    _run([str(python), "-m", "graphjobs.cli.main", "install", str(config)], variables)
    return Prepared(config, python)


def _run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotPrepared(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")
