"""What the baselines need: an environment of their own, and `redis-server`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from deploy import environment
from deploy.steps import ROOT, Failed
from graphjobs.packages.uv import UvError

REQUIREMENTS: Final = Path(__file__).with_name("requirements.txt")
FOLDER: Final = ROOT / "build" / "baselines"
WITHOUT_WHEEL: Final = ("forbiddenfruit",)


def python(log: Path) -> Path:
    """The interpreter that has the baselines' packages.

    Raises:
        Failed: they cannot be installed.
    """
    try:
        return environment.installed(FOLDER, REQUIREMENTS, log, from_source=WITHOUT_WHEEL)
    except (Failed, UvError) as error:
        said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
        last = f" ({said[-1].strip()})" if said else ""
        name = REQUIREMENTS.relative_to(ROOT)
        raise Failed(f"The packages of {name} cannot be installed: {error}{last}") from error


def redis_server() -> str:
    """The path of `redis-server`.

    Raises:
        Failed: there is none.
    """
    found = shutil.which("redis-server")
    if found is None:
        raise Failed("redis-server is missing: install it, on Debian with apt-get install redis-server.")
    return found
