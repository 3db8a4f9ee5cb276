"""Bytecode: every module of a bundle is compiled by the Python that will run it.

A function's code is read-only on Lambda, so what is not compiled here is compiled anew at each cold start. A compiled
module is found by Lambda's Python only if it has that Python's magic number, so an interpreter of the same version
compiles: the one that runs this, uv's, pyenv's, one on the PATH, or one that uv can get.

Python trusts the files without a look at their sources (``unchecked-hash``), and they hold no time and no path of this
machine: equal inputs give equal archives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from graphjobs.packages import uv
from infra.files import files, link

DEPLOYED: Final = "/var/task"
"""Where Lambda puts a bundle: the paths in tracebacks."""

WHO: Final = "import importlib.util as u, sys; print('%d.%d' % sys.version_info[:2], u.MAGIC_NUMBER.hex())"
SECONDS: Final = 15
"""For an interpreter to say who it is."""


Compiled = Callable[[str], dict[str, list[str]]]
"""`_compiled`, which lists each folder once."""


class BytecodeError(RuntimeError):
    """Modules could not be compiled; the message holds what Python said."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of the target's version: the executable, and the magic number of its bytecode in hexadecimal."""

    path: str
    magic: str

    def compile(self, folder: Path, names: Iterable[str] = (".",), *, earlier: Sequence[Path] = ()) -> None:
        """Compile every module under `names` of `folder`; what is no Python of this version is passed over.

        Of a module that one of the folders `earlier` has too, byte for byte and under the same path, the bytecode is
        taken from there: compiling takes longer than all the rest of installing packages.

        Raises:
            BytecodeError: the interpreter itself failed.
        """
        mode = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", DEPLOYED]
        command = [self.path, "-I", "-S", "-W", "ignore", "-m", "compileall", "-qq", *mode, "-i", "-"]
        wanted = [str(folder / name) for name in names]
        if earlier:
            modules = [module for name in names for module in _modules(folder / name)]
            compiled = cache(_compiled)
            wanted = [module for module in modules if not self._taken(module, folder, earlier, compiled)]
        if not wanted:
            return  # of no names compileall would make all that is on its path
        done = subprocess.run(command, input="\n".join(wanted), capture_output=True, text=True)
        # 1 says that some file is no Python of this version: packages have such files among their templates.
        if done.returncode not in (0, 1) or done.stderr:
            raise BytecodeError(f"{self.path} could not compile {folder}: {done.stderr.strip()}")

    def _taken(self, module: str, folder: Path, earlier: Sequence[Path], compiled: Compiled) -> bool:
        """Whether the bytecode of `module`, below `folder`, was found in one of `earlier`; it then is there too."""
        below = module[len(str(folder)) :]
        for other in (f"{earlier_folder}{below}" for earlier_folder in earlier):
            if not _same(module, other):
                continue
            where, _, name = other.rpartition("/")
            for path in compiled(where).get(name.removesuffix(".py"), ()):
                with open(path, "rb") as file:
                    if file.read(4).hex() != self.magic:
                        continue
                target = f"{os.path.dirname(module)}/__pycache__"
                os.makedirs(target, exist_ok=True)
                link(path, f"{target}/{os.path.basename(path)}")
                return True
        return False


def _same(module: str, other: str) -> bool:
    """Whether both have the same bytes; uv links files, so most are one file."""
    try:
        stats = os.stat(module), os.stat(other)
    except FileNotFoundError:
        return False
    same_size = stats[0].st_size == stats[1].st_size
    return os.path.samestat(*stats) or (same_size and Path(module).read_bytes() == Path(other).read_bytes())


def _compiled(folder: str) -> dict[str, list[str]]:
    """By the stem of each module in `folder`: its compiled forms, one for each Python that has compiled it."""
    found: dict[str, list[str]] = {}
    try:
        kept = os.listdir(f"{folder}/__pycache__")
    except FileNotFoundError:
        return found
    for name in kept:
        found.setdefault(name.partition(".cpython-")[0], []).append(f"{folder}/__pycache__/{name}")
    return found


def _modules(path: Path) -> list[str]:
    found = (entry.path for entry in files(path)) if path.is_dir() else (str(path),)
    return [name for name in found if name.endswith(".py")]


def interpreter(version: str) -> Interpreter | None:
    """A Python of `version` (``3.13``) on this machine, or one that uv gets now; None if there is none to be had."""
    for path in _installed(version):
        found = _asked(path, version)
        if found:
            return found
    fresh = uv.find_python(version) if uv.install_python(version) else None
    return _asked(fresh, version) if fresh else None


def _installed(version: str) -> Iterator[str]:
    yield sys.executable
    if of_uv := uv.find_python(version):
        yield of_uv
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}")))
    if on_path := shutil.which(f"python{version}"):
        yield on_path


def _asked(path: str, version: str) -> Interpreter | None:
    """The interpreter at `path` if it runs and is of `version`: what a shim or a name says is not believed."""
    try:
        done = subprocess.run([path, "-I", "-S", "-c", WHO], capture_output=True, text=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.split()
    return Interpreter(path, said[1]) if done.returncode == 0 and said[:1] == [version] else None
