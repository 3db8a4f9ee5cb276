"""Programs of a test, each in a process of its own that is forked from one which has loaded what they share.

What such a process does to its modules, its environment and its threads stays with it, as in one that was started
anew, but it need not import LangGraph and boto3, which takes longer than most of what they are imported for.

    python -m tests.support.forked MODULE...

loads these modules and then, for each line of its standard input (a JSON list: module, arguments, files for standard
output and error), runs ``main(*arguments)`` of that module in a fork of itself, and prints how that has ended.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from graphjobs import processes
from graphjobs.core.loading import without_collection

ROOT = Path(__file__).parents[2]

Run = Callable[..., str]
"""``run(module, *arguments)``: what ``main(*arguments)`` of `module` prints, in a process of its own."""


@contextmanager
def forks(modules: Sequence[str], environ: Mapping[str, str], folder: Path) -> Iterator[Run]:
    """A `Run` of these modules, which have all been loaded; what they say is kept in `folder` meanwhile."""
    command = [sys.executable, "-m", __name__, *modules]
    server = processes.start(command, environ, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin and server.stdout
    told, tells, numbers = server.stdin, server.stdout, count()

    def run(module: str, *arguments: Any) -> str:
        number = next(numbers)
        output, errors = folder / f"{number}.out", folder / f"{number}.err"
        told.write(json.dumps([module, arguments, str(output), str(errors)]).encode() + b"\n")
        told.flush()
        status = tells.readline()
        assert status == b"0\n", errors.read_text() if errors.exists() else "the process that forks has ended"
        return output.read_text()

    try:
        yield run
    finally:
        processes.stop_group(server)
        told.close()
        tells.close()


def _fork(module: str, arguments: Sequence[Any], output: str, errors: str) -> int:
    """The exit code of a process that has run ``main(*arguments)`` of `module`; what it said is in the two files."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        for number, path in ((1, output), (2, errors)):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
        importlib.import_module(module).main(*arguments)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main(modules: Sequence[str]) -> None:
    """See above."""
    with without_collection():
        for module in modules:
            importlib.import_module(module)
    if threading.active_count() > 1:
        sys.exit(f"a fork would lack the threads {threading.enumerate()}")
    for line in sys.stdin:
        print(_fork(*json.loads(line)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
