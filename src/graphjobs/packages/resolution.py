"""One version of each package, that serves graphjobs and the project.

What graphjobs needs is demanded. What is merely preferred, such as the versions of a lock file, gives way to what the
project asks for. uv does the work: it takes the versions in an existing output file as preferences.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlparse

from packaging.requirements import Requirement

from graphjobs.packages import left_out, uv
from graphjobs.packages.project import ProjectPackages, has_uv_sources, is_static
from graphjobs.packages.uv import Platform, UvError

ENTRY: Final = re.compile(r"(?:[^\n\\]|\\\n)+")
"""One requirement of a requirements file: a line, with those that it goes on in."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class PackagesConflict(RuntimeError):
    """There is no such set of versions; the message says who wants what."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is to be installed.

    Attributes:
        pins: by name: the requirement with its version, and hashes where the index knows them.
        local: folders of packages: the project's own, and those that they need.
        left_out: names of packages that something asks for and that are not installed.
        builds: whether some package comes as source alone and has to be built.
    """

    pins: dict[str, str]
    local: tuple[Path, ...]
    left_out: tuple[str, ...]
    builds: bool = False

    @property
    def text(self) -> str:
        """The pins as a requirements file."""
        return "".join(f"{pin}\n" for _, pin in sorted(self.pins.items()))


def resolve(
    project: ProjectPackages,
    needed: Sequence[str],
    platform: Platform,
    *,
    preferred: str = "",
    python: str | None = None,
) -> Resolution:
    """Find the versions.

    Args:
        project: whose packages.
        needed: requirements of graphjobs itself.
        platform: what wheels are wanted for; source is built only for this machine, or where nothing else is offered.
        preferred: a requirements file with versions, and hashes, that are taken where nothing speaks against them.
        python: the interpreter that builds what must be built.

    Raises:
        PackagesConflict: graphjobs and the project contradict each other, or the project itself.
        UvError: uv failed otherwise, such as without the internet.
    """
    with tempfile.TemporaryDirectory() as scratch:
        run = _Run(Path(scratch), project.root, platform, python, preferred)
        wheels, lines = run.packages(project)
        wanted = [*project.lines, *lines]
        try:
            text, builds = run.compile([*needed, *wanted])
        except UvError as error:
            raise run.contradiction(needed, wanted, error) from None
        return _read(text, wheels, preferred, builds)


def pins(text: str) -> dict[str, tuple[str, ...]]:
    """By normalised name: what a requirements file has, with hashes; several where its markers tell them apart."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in (match.group().strip() for match in ENTRY.finditer(text)):
        if name := NAME.match(entry):
            found[normal(name.group())] = (*found.get(normal(name.group()), ()), entry)
    return found


def merged(*texts: str) -> str:
    """One requirements file out of several; of each package the versions of the first file that has it."""
    all_pins = [pins(text) for text in texts]
    names = sorted({name for each in all_pins for name in each})
    chosen = (next(each[name] for each in all_pins if name in each) for name in names)
    return "".join(f"{entry}\n" for entries in chosen for entry in entries)


def version(pin: str) -> str:
    """What a requirement asks for, without hashes and markers: ``humanize==4.12``."""
    return re.split(r"[\s;\\]", pin, maxsplit=1)[0]


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class _Run:
    """The files and settings of one resolution."""

    scratch: Path
    root: Path
    platform: Platform
    python: str | None
    preferred: str

    def packages(self, project: ProjectPackages) -> tuple[dict[Path, Path], list[str]]:
        """The folders that were built, by their wheels, and a line for each package."""
        wheels: dict[Path, Path] = {}
        lines = []
        for folder in project.packages:
            if self.platform.name is None or is_static(folder) or has_uv_sources(folder):
                lines.append(f"-e {folder}")
            else:
                # uv would have to build it to learn what it needs, and building is switched off at first.
                wheel = uv.build_wheel(folder, self.scratch / f"wheel-{len(wheels)}", python=self.python)
                wheels[wheel] = folder
                lines.append(f"{wheel.name.partition('-')[0]} @ {wheel.as_uri()}")
        return wheels, lines

    def compile(self, lines: Iterable[str]) -> tuple[str, bool]:
        """Versions for `lines`, and whether something has to be built: not if wheels will do."""
        wanted, chosen, replaced = (self.scratch / name for name in ("wanted.in", "chosen.txt", "replaced.txt"))
        wanted.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        replaced.write_text(left_out.overrides(self.scratch), encoding="utf-8")
        for build in (True,) if self.platform.name is None else (False, True):
            chosen.write_text(self.preferred, encoding="utf-8")
            try:
                files = uv.Files(wanted, chosen, replaced, self.root)
                return uv.compile_pins(files, self.platform, build=build, python=self.python), build
            except UvError:
                if build:
                    raise
        raise AssertionError("the last of the two builds")

    def contradiction(self, needed: Sequence[str], wanted: Iterable[str], error: UvError) -> Exception:
        """Who wants what, where the project alone could be installed; else what uv said."""
        try:
            alone = pins(self.compile(wanted)[0])
        except UvError as of_project:
            return of_project
        wrong = []
        for requirement in map(Requirement, needed):
            for pin in alone.get(normal(requirement.name), ()):
                found = version(pin).partition("==")[2]
                if not requirement.specifier.contains(found, prereleases=True):
                    wrong.append(f"graphjobs needs {requirement}, the project wants {requirement.name} {found}")
        return PackagesConflict("; ".join(wrong) + ".") if wrong else error


def _read(text: str, wheels: dict[Path, Path], preferred: str, builds: bool) -> Resolution:
    of_lock = pins(preferred)
    found: dict[str, str] = {}
    local: list[Path] = []
    missing: list[str] = []
    for entry in (match.group().strip() for match in ENTRY.finditer(text)):
        if entry.startswith("#"):
            continue
        path = _local_path(entry)
        name = normal(match.group()) if (match := NAME.match(entry)) else ""
        if name in left_out.NAMES:
            missing.append(name)
        elif path in wheels:
            local.append(wheels[path])
        elif path is not None and path.is_dir():
            local.append(path)
        else:
            # The hashes of the lock, which somebody has looked at, rather than what the index says today.
            same = (each for each in of_lock.get(name, ()) if version(each) == version(entry) and "--hash" in each)
            found[name] = next(same, entry)
    return Resolution(found, tuple(dict.fromkeys(local)), tuple(missing), builds)


def _local_path(entry: str) -> Path | None:
    where = entry.removeprefix("-e ") if entry.startswith("-e ") else entry.partition(" @ ")[2]
    where = re.split(r"[\s;\\]", where.strip(), maxsplit=1)[0]
    if where.startswith("file:"):
        return Path(unquote(urlparse(where).path))
    return Path(where) if where.startswith("/") else None
