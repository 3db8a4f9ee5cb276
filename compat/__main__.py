"""`make compat`: run the projects and print what came of each graph.

    python -m compat [--from DIR] [--work DIR] [NAME ...]

``--from`` takes checkouts that are on this machine, by their names, in place of GitHub.
Exit code 0 if everything came as expected.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from compat.internet import internet
from compat.prepare import ROOT, NotPrepared, prepare
from compat.projects import PROJECTS, Project
from compat.run import Row, run
from compat.services import Services
from graphjobs.cli.local_process import LocalStartError

WIDTH: Final = 90


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the projects that are named, or all; the exit code."""
    parser = argparse.ArgumentParser(prog="compat", description="Run public LangGraph projects as they are.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of projects (default: all)")
    parser.add_argument("--from", dest="source", type=Path, metavar="DIR", help="checkouts, in place of GitHub")
    parser.add_argument("--work", type=Path, metavar="DIR", default=ROOT / "build" / "compat")
    given = parser.parse_args(arguments)
    chosen = [project for project in PROJECTS if not given.names or project.name in given.names]
    failed = False
    for project in chosen:
        for row in _rows(project, given.work.resolve(), given.source and given.source.resolve()):
            print(_line(row), flush=True)
            failed = failed or bool(row.wrong)
    return int(failed or not chosen)


def _rows(project: Project, work: Path, source: Path | None) -> Sequence[Row]:
    try:
        prepared = prepare(project, work / project.name, source)
        services = Services(project.manner)
        with tempfile.TemporaryDirectory() as scratch, internet(Path(scratch), services) as variables:
            return list(run(project, prepared, services, variables))
    except (NotPrepared, LocalStartError) as error:
        return [Row(project.name, "", "", "", {}, "", str(error))]


def _line(row: Row) -> str:
    answer = " ".join(row.answer.split())
    if not row.wrong:
        answer = answer[:WIDTH] + ("…" if len(answer) > WIDTH else "")
    cells = [row.project, row.graph, row.asked, row.status, _counted(row.events), answer, row.wrong or "as expected"]
    return " | ".join(cells)


def _counted(events: Mapping[str, int]) -> str:
    return f"{sum(events.values())} events, {events.get('token', 0)} of text, {events.get('tool_call', 0)} of tools"


if __name__ == "__main__":
    sys.exit(main())
