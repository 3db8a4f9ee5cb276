"""What a cold start costs: each bundle, made for the deployed runtime, imported and given its first work.

CPU seconds of a fresh process of Lambda's Python, with the bundle's bytecode and without it, and what that comes to on
Lambda: a function of M megabytes has M/1769 of a CPU, so its seconds are CPU seconds / (M/1769), of the ten that its
init phase has. That is the slowest case: Lambda gives the init phase more than that, which it does not promise. The
process has one CPU to itself (its affinity), so threads do not make it look faster than it would be there.

The bundles are those for x86_64, since this machine must run them. Needs a Python of the deployed version.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.measure import Series, table
from graphjobs.packages.uv import Platform
from infra.bundling import Bundler
from infra.bytecode import interpreter
from infra.config import Config
from infra.graph_project import graph_project
from infra.installed import ROOT

RUNS: Final = 5
CPU_MB: Final = 1_769
"""The memory at which Lambda gives a function one CPU."""

VERSION: Final = Config().runtime.removeprefix("python")
API_EVENT: Final = """{
    "version": "2.0", "routeKey": "POST /jobs", "rawPath": "/jobs", "headers": {},
    "body": "{}", "isBase64Encoded": False,
    "requestContext": {"http": {"method": "POST", "path": "/jobs"}, "stage": "$default", "requestId": "r",
                       "authorizer": {"jwt": {"claims": {"sub": "anna"}}}}}"""

WORK: Final = {
    # A refusal: everything but the call of DynamoDB.
    "create_job": f"import graphjobs_function as f; f.handler({API_EVENT}, None)",
    "stream": "import uvicorn; import graphjobs_function as f; f.create_app_from_env()",
    "reconcile": "import graphjobs_function",
    # In the init phase, as on Lambda: the graphs are imported there. Then a first run.
    "worker": """
import asyncio, graphjobs_function
from graphjobs.worker.handler import worker
assert graphjobs_function.handler.__self__._error is None
graph = worker().graphs.loader.source('chat')
async def job():
    return [part async for part in graph.astream({'query': 'refund policy'}, stream_mode=['updates', 'messages'])]
assert len(asyncio.run(job())) > 10""",
}
"""What each function does first, as far as that goes without AWS."""

MEMORY: Final = {
    "create_job": Config().api_memory_mb,
    "stream": Config().stream_memory_mb,
    "reconcile": 256,
    "worker": Config().worker_memory_mb,
}
ENVIRON: Final = {
    "PATH": os.environ["PATH"],
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_LAMBDA_RUNTIME_API": "the functions build their clients at import",
    "GRAPHJOBS_CONFIG": "project/langgraph.json",
    "GRAPHJOBS_CHECKPOINTS_TABLE": "c",
    "GRAPHJOBS_EVENTS_TABLE": "e",
    "GRAPHJOBS_JOBS_TABLE": "j",
    "GRAPHJOBS_OIDC_AUDIENCE": "a",
    "GRAPHJOBS_OIDC_ISSUER": "https://issuer.example.com",
    "GRAPHJOBS_PAYLOAD_BUCKET": "b",
    "GRAPHJOBS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/q",
    "GRAPHJOBS_STORE_TABLE": "t",
    "GRAPHJOBS_STREAM_URL": "https://stream.example.com",
    "GRAPHJOBS_TICKET_SECRET": "s",
    "GRAPHJOBS_METRICS_NAMESPACE": "n",
}


def cpu_seconds(python: str, bundle: Path, code: str, *, bytecode: bool) -> float:
    """User and system seconds of a fresh process that runs `code` from `bundle`, its interpreter's start included."""
    # One CPU, which is the most that a function of this memory has.
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    program = f"{one}; import sys; sys.path.insert(0, '.')\n{code}\nimport os; t = os.times(); print(t.user + t.system)"
    elsewhere = [] if bytecode else ["-X", "pycache_prefix=/nowhere"]
    done = subprocess.run(
        [python, "-I", "-S", "-B", *elsewhere, "-c", program],
        cwd=bundle,
        env=ENVIRON,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    python = interpreter(VERSION)
    if python is None:
        sys.exit(f"There is no Python {VERSION} on this machine: uv python install {VERSION}")
    bundler = Bundler(Platform.of_lambda(Config().runtime, "x86_64"), graph_project(ROOT, Config().graphs))
    rows = []
    for name, code in WORK.items():
        folder = bundler.bundle(name).folder
        pairs = [
            tuple(cpu_seconds(python.path, folder, code, bytecode=bytecode) for bytecode in (True, False))
            for _ in range(RUNS + 1)
        ][1:]
        compiled, bare = (Series.of(pair[index] for pair in pairs).p50 for index in (0, 1))
        share = MEMORY[name] / CPU_MB
        rows.append([name, compiled, bare, MEMORY[name], compiled / share, bare / share])
    header = ["bundle", "CPU s", "without bytecode", "MB", "s at that share of a CPU", "without bytecode"]
    print(table(f"Cold start, Python {VERSION}", header, rows))


if __name__ == "__main__":
    main()
