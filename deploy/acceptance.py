"""The acceptance tests of `tests/e2e`, run against a deployed stack by way of a target file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.steps import ROOT, Failed
from graphjobs.processes import running

VARIABLE: Final = "GRAPHJOBS_E2E_TARGET"
SECONDS: Final = 900.0

STORED: Final = {
    "jobs_table": "JobsTable",
    "events_table": "EventsTable",
    "payload_bucket": "PayloadBucket",
    "queue_url": "QueueUrl",
}
"""What the tests look at behind the API, by the outputs that name it."""


def target(
    outputs: Mapping[str, str],
    tokens: Mapping[str, str],
    *,
    api_url: str | None = None,
    stream_url: str | None = None,
    access: Mapping[str, str] | None = None,
    graphs: Sequence[str] = (),
) -> dict[str, Any]:
    """The target file's content.

    Args:
        outputs: of the stack.
        tokens: by the tests' names of users.
        api_url, stream_url: in place of those of the stack.
        access: how the tests reach what is stored (``aws_endpoint_url`` or ``aws_profile``, and ``region``); without
            it, those that would are skipped.
        graphs: that are deployed; none given: the built-in ones.

    Raises:
        Failed: the stack lacks an output, so it is none of ours.
    """
    try:
        described: dict[str, Any] = {
            "api_url": api_url or outputs["ApiUrl"],
            "stream_url": stream_url or outputs["StreamUrl"],
            "tokens": dict(tokens),
        }
        if graphs:
            described["graphs"] = list(graphs)
        if access:
            described |= access
            described |= {name: outputs[output] for name, output in STORED.items()}
    except KeyError as error:
        raise Failed(f"The stack has no output {error.args[0]}: is it one of graphjobs?") from None
    return described


def run_tests(described: Mapping[str, Any], folder: Path, selection: Sequence[str] = ()) -> None:
    """Run the acceptance tests; what they say goes to our output.

    Raises:
        Failed: a test failed, or they took too long.
    """
    path = folder / "target.json"
    path.touch(mode=0o600)  # it holds tokens
    path.write_text(json.dumps(described), encoding="utf-8")
    environ = {name: value for name, value in os.environ.items() if name != "AWS_ENDPOINT_URL"}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-rs", "tests/e2e", *selection]
    try:
        with running(command, {**environ, VARIABLE: str(path)}, cwd=ROOT) as process:
            code = process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"The acceptance tests took longer than {SECONDS:.0f} s") from None
    finally:
        path.unlink()
    if code:
        raise Failed(f"The acceptance tests failed (exit code {code})")
