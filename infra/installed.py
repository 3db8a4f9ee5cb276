"""Installed packages: a folder for each set of them, kept under a digest of what it was made from."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final

from graphjobs.core.manifest import FUNCTIONS
from graphjobs.packages import uv
from graphjobs.packages.needed import needed
from graphjobs.packages.resolution import PackagesConflict, Resolution, merged, pins, resolve
from graphjobs.packages.uv import Platform
from infra import lock
from infra.bytecode import Interpreter
from infra.graph_project import GraphProject, GraphProjectError
from infra.trim import trim
from infra.worker_packages import install_pins

ROOT: Final = Path(__file__).resolve().parent.parent
WORKER: Final = "worker"

OF_THE_CONFIGURATION: Final = {WORKER: frozenset({"secretsmanager"})}
"""What a group calls only in some deployments, and no function's row in the manifest says: `worker_secrets`."""

SERVICES: Final = {
    group: sorted(
        OF_THE_CONFIGURATION.get(group, frozenset()).union(
            *(spec.services for spec in FUNCTIONS.values() if spec.group == group)
        )
    )
    for group in sorted({spec.group for spec in FUNCTIONS.values()})
}
"""The AWS services whose API models a group keeps; the worker also what its project names, or all if it names none."""


class Installed:
    """The packages of groups, for one platform, below one folder."""

    def __init__(self, folder: Path, platform: Platform, compiler: Interpreter | None) -> None:
        self._folder = folder
        self._platform = platform
        self._compiler = compiler
        self._python = compiler.path if compiler else None
        self._locked = cache(partial(uv.export, ROOT))  # of the groups in its arguments, which many bundles share

    def group(self, name: str) -> Path:
        """The folder with a group of this repository's, as uv.lock pins it."""
        requirements = self._locked(name)

        def install(target: Path, scratch: Path) -> None:
            locked = scratch / "requirements.txt"
            locked.write_text(requirements)
            uv.install(target, self._platform, ["-r", str(locked)], root=ROOT)
            trim(target, SERVICES[name])

        return self._kept(name, [requirements, repr(SERVICES[name])], install)

    def resolution(self, project: GraphProject, *, write_lock: bool = False) -> Resolution:
        """The worker's packages with those of a project: as its lock says, else resolved now.

        Raises:
            GraphProjectError: they contradict each other, or the lock is not of this project.
            UvError: uv failed.
        """
        wanted = needed(WORKER)
        found = None if write_lock else lock.read(project.packages, wanted, self._platform)
        if found is None:
            preferred = merged(uv.locked(project.packages.root), self._locked())
            try:
                found = resolve(project.packages, wanted, self._platform, preferred=preferred, python=self._python)
            except PackagesConflict as error:
                raise GraphProjectError(f"graphs: {error}") from None
        if write_lock:
            print(f"graphjobs: wrote {lock.write(project.packages, wanted, self._platform, found)}")
        for name in found.left_out:
            print(f"graphjobs: {name} is left out: graphjobs takes its place.")
        return found

    def worker(self, project: GraphProject, resolution: Resolution) -> Path:
        """The folder with the packages of `resolution`; a package that this repository locks is trimmed."""
        services = None if project.services is None else (*SERVICES[WORKER], *project.services)
        ours = set(pins(self._locked()))

        def install(target: Path, scratch: Path) -> None:
            install_pins(resolution, target, self._platform, project.packages.root, self._python)
            trim(target, services, ours)

        return self._kept(WORKER, [resolution.text, repr((services, sorted(ours)))], install)

    def _kept(self, name: str, made_from: list[str], install: Callable[[Path, Path], None]) -> Path:
        digest = hashlib.sha256("\0".join([*made_from, repr((self._platform, self._compiler))]).encode()).hexdigest()
        folder = self._folder / f"{name}-{digest[:16]}"
        if folder.exists():
            return folder
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            fresh = Path(scratch, "packages")
            install(fresh, Path(scratch))
            if self._compiler:
                # Of any group: they share many packages. A folder that is being made has no dash in its name.
                self._compiler.compile(fresh, earlier=sorted(self._folder.glob("*-*")))
            try:
                fresh.rename(folder)
            except OSError:  # another process was quicker: equal inputs give equal folders
                if not folder.is_dir():
                    raise
        return folder
