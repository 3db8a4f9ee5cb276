"""``graphjobs local``: its options and what it prints."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from graphjobs.core import langgraph_json
from graphjobs.core.langgraph_json import LangGraphJson, LangGraphJsonInvalid
from graphjobs.core.settings import Settings, SettingsError
from graphjobs.local.process import StartFailed
from graphjobs.local.state import FolderTaken
from graphjobs.local.supervisor import Plan, PortTaken, Supervisor
from graphjobs.packages.needed import EXTRAS, unmet

DEFAULT_STATE_DIR = ".graphjobs"
USAGE = 2


class ConfigInvalid(Exception):
    """An option cannot be used; one line says why."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``graphjobs local``."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("langgraph.json"),
        help="the langgraph.json whose graphs are served (default: %(default)s)",
    )
    parser.add_argument("--api-port", type=int, metavar="N", default=8000, help="default %(default)s; 0 for a free one")
    parser.add_argument(
        "--stream-port", type=int, metavar="N", default=8001, help="default %(default)s; 0 for a free one"
    )
    parser.add_argument("--workers", type=int, metavar="N", default=2, help="worker processes (default: %(default)s)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep jobs and events there for the next start")
    parser.add_argument(
        "--leave-lost-jobs",
        action="store_true",
        help="the job of a worker that died waits for its lease, as on AWS; else it is taken up at once",
    )
    parser.add_argument("--until-eof", action="store_true", help="end when standard input is closed")
    parser.add_argument("--json", action="store_true", help="print one JSON line when ready")


def run(arguments: argparse.Namespace) -> int:
    """Run until stopped; returns the exit code."""
    lacking = unmet(*EXTRAS)
    if lacking:
        remedy = f"graphjobs install {arguments.config} finds versions that serve the project too."
        print(f"graphjobs needs in this environment {'; '.join(lacking)}. {remedy}", file=sys.stderr)
        return 1
    try:
        wanted = plan(arguments)
        supervisor = Supervisor(wanted, _to_stderr if arguments.json else _to_stdout)
    except (ConfigInvalid, LangGraphJsonInvalid, PortTaken, SettingsError) as error:
        print(f"graphjobs: {error}", file=sys.stderr)
        return USAGE
    if arguments.until_eof:
        threading.Thread(target=_end_at_eof, name="eof", daemon=True).start()
    show = _to_stderr if arguments.json else _to_stdout
    for line in notices(langgraph_json.read(wanted.config)):
        show(line)
    if not arguments.json:
        print(f"Starting with the graphs {', '.join(wanted.graphs)} ...", flush=True)
    try:
        supervisor.start()
    except FolderTaken as error:
        print(f"graphjobs: {error}", file=sys.stderr)
        return USAGE
    except StartFailed as error:
        print(f"graphjobs: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    facts = supervisor.facts
    if arguments.json:
        print(json.dumps(facts), flush=True)
    else:
        _describe(facts, wanted)
    return supervisor.run()


def _to_stdout(text: str) -> None:
    print(text, flush=True)


def _to_stderr(text: str) -> None:
    """Standard output is for the program that asked for JSON."""
    print(text, file=sys.stderr, flush=True)


def _end_at_eof() -> None:
    """For a program that starts us: however it ends, we do not outlive it."""
    # Not through `sys.stdin`: a thread that holds its lock aborts the interpreter when that ends.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def plan(arguments: argparse.Namespace) -> Plan:
    """What the options ask to run.

    Raises:
        ConfigInvalid, LangGraphJsonInvalid, SettingsError: they cannot be used.
    """
    settings = Settings.from_env(os.environ)
    if arguments.workers < 1:
        raise ConfigInvalid("--workers must be at least 1.")
    if arguments.data and os.environ.get("AWS_ENDPOINT_URL"):
        raise ConfigInvalid("--data keeps what the embedded emulator holds; AWS_ENDPOINT_URL names another one.")
    return Plan(
        state_dir=Path(os.environ.get("GRAPHJOBS_STATE_DIR") or DEFAULT_STATE_DIR).resolve(),
        config=arguments.config.resolve(),
        graphs=langgraph_json.read(arguments.config).names,
        api_port=arguments.api_port,
        stream_port=arguments.stream_port,
        workers=arguments.workers,
        function_timeout_seconds=settings.function_timeout_seconds,
        leave_lost_jobs=arguments.leave_lost_jobs,
        data=arguments.data.resolve() if arguments.data else None,
    )


def notices(file: LangGraphJson) -> list[str]:
    """What somebody may miss who has run this project with `langgraph dev`."""
    lines = []
    if file.unused:
        lines.append(f"{file.path.name}: not used by graphjobs: {', '.join(file.unused)}")
    if isinstance(file.env, str) and not (file.root / file.env).is_file():
        lines.append(f"{file.path.name}: the env file {file.env} is not there")
    return lines


def _describe(facts: dict[str, object], plan: Plan) -> None:
    lines = [
        "graphjobs is running.",
        f"  API      {facts['api_url']}",
        f"  stream   {facts['stream_url']}",
        f"  issuer   {facts['issuer']}  (a token: graphjobs token --user user-123)",
        f"  AWS      {facts['aws_endpoint_url']}  (emulated)",
        f"  logs     {plan.state_dir / 'logs'}",
        'Try: graphjobs submit "환불 정책 알려줘" --stream',
        "Ctrl-C ends it.",
    ]
    print("\n".join(lines), flush=True)
