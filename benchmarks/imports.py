"""What importing each function costs, against the libraries that it cannot do without, in turns.

The interpreter's own start is in neither figure: it would hide a part of what is ours.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Series, table
from graphjobs.core.manifest import FUNCTIONS

RUNS = 7
POWERTOOLS = "import aws_lambda_powertools, aws_lambda_powertools.metrics"
API = f"{POWERTOOLS}, aws_lambda_powertools.event_handler, pydantic"
BOTO = "import boto3; boto3.client('dynamodb', region_name='us-east-1')"

LIBRARIES = {
    "api": f"{BOTO}; {API}",
    "reconcile": f"{BOTO}; {POWERTOOLS}",
    "stream": f"{BOTO}; {POWERTOOLS}; import starlette.applications, uvicorn, jwt",
    "worker": f"{BOTO}; {POWERTOOLS}; import langgraph.graph",
}
"""What the functions of a dependency group cannot do without."""

STARTED_BY = {"stream": "uvicorn, ", "worker": "graphjobs.worker.handler, "}
"""`run.sh` starts uvicorn, which then imports the app; the start of the worker imports its handler."""


def seconds(code: str) -> float:
    """Wall seconds that `code` takes in a fresh interpreter."""
    timed = f"import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"
    done = subprocess.run([sys.executable, "-c", timed], check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    rows = []
    for name, spec in FUNCTIONS.items():
        module, bare = STARTED_BY.get(name, "") + spec.module, LIBRARIES[spec.group]
        # With one client made, as each function does in its init phase.
        ours_code = f"import {module}; {BOTO}"
        pairs = [(seconds(ours_code), seconds(bare)) for _ in range(RUNS + 1)][1:]
        ours, theirs = Series.of(pair[0] for pair in pairs), Series.of(pair[1] for pair in pairs)
        ratio = Series.of(pair[0] / pair[1] for pair in pairs)
        rows.append([name, ours.p50, theirs.p50, ratio.p50])
    print(table("Import", ["function", "seconds", "its libraries, seconds", "ratio"], rows))


if __name__ == "__main__":
    main()
