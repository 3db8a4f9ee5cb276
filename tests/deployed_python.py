"""`make test-deployed-python`: the unit tests on the Python of the Lambda functions, in an environment of its own.

    python -m tests.deployed_python [pytest arguments]

Where no such interpreter is to be had, one line says so and nothing fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from graphjobs.packages import uv
from infra.bytecode import interpreter
from infra.config import Config

ROOT = Path(__file__).parents[1]


def main(*arguments: str) -> int:
    """Run them; returns pytest's exit code."""
    version = Config().runtime.removeprefix("python")
    found = interpreter(version)
    if found is None:
        print(f"==> There is no Python {version} here, and uv gets none: the unit tests do not run on it", flush=True)
        return 0
    print(f"==> Running the unit tests on Python {version}", flush=True)
    environ = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(ROOT / f".venv-{version}")}
    environ.pop("VIRTUAL_ENV", None)
    options = ["--frozen", "--quiet", "--python", found.path, "--no-group", "lint"]
    tests = ["pytest", "-n", "2", "--dist", "worksteal", *(arguments or ["tests/unit"])]
    command = [*uv.command(), "run", *options, *tests]
    return subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
