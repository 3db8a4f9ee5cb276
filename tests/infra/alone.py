"""Code in an interpreter that knows the standard library and a bundle, as on Lambda.

Most of what it takes is to import LangGraph or boto3, which the bundles have alike. So each interpreter is forked from
one that has imported them from another bundle, if this one has all those files with the same bytes under the same
names: then it would have come to the same. A bundle that differs in one of them gets a process of its own.

Each bundle is imported from by the same name, a link that leads to it meanwhile: what has been imported knows where it
came from, and looks there for its data.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import IO

from graphjobs import processes
from tests.infra.forking import FORKING

LANGGRAPH = ("graphjobs.worker.graph_loader", "langgraph.graph")
"""What every bundle of a worker imports to run a graph."""

SERVER = f"""
{FORKING}
import json

def run(code, folder, output, errors):
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    importlib.invalidate_caches()
    exec(compile(code, "<string>", "exec"), {{"__name__": "__main__", "loaded": set(sys.modules)}})

link, *names = sys.argv[1:]
sys.path.insert(0, link)
load(names)
paths = {{getattr(module, name, None) or "" for module in sys.modules.values() for name in ("__file__", "__cached__")}}
print(json.dumps([path for path in paths if path.startswith(link)]), flush=True)
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        end_with(lambda: run(*json.loads(line)))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""``python -c SERVER link modules...``; code finds the names of the modules that were there before it as `loaded`."""


@dataclass(frozen=True)
class _Server:
    """An interpreter that has imported some modules, and the digests of their files by their place in a bundle."""

    link: Path
    digests: dict[str, bytes]
    told: IO[bytes]
    tells: IO[bytes]

    def is_as_from(self, bundle: Path) -> bool:
        """Whether what was imported would have been the same from `bundle`."""
        return all(_digest(bundle / name) == digest for name, digest in self.digests.items())

    def run(self, bundle: Path, code: str, output: Path) -> str:
        """What `code` prints."""
        _lead(self.link, bundle)
        errors = output.with_suffix(".err")
        self.told.write(json.dumps([code, str(bundle), str(output), str(errors)]).encode() + b"\n")
        self.told.flush()
        status = self.tells.readline()
        assert status == b"0\n", errors.read_text() if errors.exists() else "the process that forks has ended"
        return output.read_text()


class Alone:
    """Runs code with a bundle alone."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        """Files are kept in `folder`, and `stack` ends the processes."""
        self._folder = folder
        self._stack = stack
        self._servers: dict[tuple[str, ...], list[_Server]] = {}
        self._numbers = count()

    def __call__(self, bundle: Path, code: str, *, given: Sequence[str] = ()) -> str:
        """What `code` prints in an interpreter that has imported `given` from `bundle`, and knows nothing else."""
        servers = self._servers.setdefault(tuple(given), [])
        server = next((each for each in servers if each.is_as_from(bundle)), None)
        if server is None:
            server = self._start(bundle, given)
            servers.append(server)
        return server.run(bundle, code, self._folder / f"{next(self._numbers)}.out")

    def _start(self, bundle: Path, given: Sequence[str]) -> _Server:
        link = self._folder / f"bundle-{next(self._numbers)}"
        _lead(link, bundle)
        command = [sys.executable, "-I", "-S", "-B", "-c", SERVER, str(link), *given]
        environ = {"PATH": os.environ["PATH"], "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        errors = self._stack.enter_context(link.with_suffix(".err").open("wb"))
        process = processes.start(
            command, environ, cwd=bundle, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
        )
        assert process.stdin and process.stdout
        self._stack.callback(process.stdout.close)
        self._stack.callback(process.stdin.close)
        self._stack.callback(processes.stop_group, process)
        said = process.stdout.readline()
        assert said, link.with_suffix(".err").read_text()
        names = [os.path.relpath(path, link) for path in json.loads(said)]
        return _Server(link, {name: _digest(bundle / name) for name in names}, process.stdin, process.stdout)


@contextmanager
def interpreters(folder: Path) -> Iterator[Alone]:
    """All have ended when it returns."""
    with ExitStack() as stack:
        yield Alone(folder, stack)


def _digest(path: Path) -> bytes:
    return sha256(path.read_bytes()).digest() if path.is_file() else b""


def _lead(link: Path, bundle: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(bundle)
