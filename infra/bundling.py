"""Bundles: one folder a function, which becomes its zip. No Docker.

A bundle holds the function's dependency group as uv.lock pins it, for Lambda's platform; its entry, and the parts of
the package that the entry reaches. The worker's also holds the graphs. Everything is compiled for the target's Python.
Equal inputs give equal bundles. Dependencies are installed once per group and kept under a digest of what they were
made from.

    python -m infra.bundling          builds all and prints their sizes
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphjobs.core.manifest import FUNCTIONS
from infra import uv
from infra.bytecode import interpreter
from infra.graph_project import BUILT_IN, FOLDER, GraphProject, graph_project
from infra.parts import copy_parts, parts_of
from infra.trim import stamp, trim
from infra.uv import Platform

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "graphjobs"
BUILD: Final = ROOT / "build"
ENTRY: Final = "graphjobs_function"
"""The module that Lambda calls: no name that a user's project would have."""

GROUPS: Final = {spec.name: spec.group for spec in FUNCTIONS.values()}
"""The dependency group of each function."""

SERVICES: Final = {
    "api": ("dynamodb", "s3", "secretsmanager", "sqs"),
    "reconcile": ("dynamodb", "s3", "sqs"),
    "stream": ("dynamodb", "s3", "secretsmanager"),
    "worker": ("bedrock", "bedrock-runtime", "dynamodb", "s3", "secretsmanager", "sqs"),
}
"""The AWS services whose API models a group keeps; a worker with a project of the user's keeps all."""

LARGEST: Final = {"api": 9, "reconcile": 7, "stream": 14, "worker": 46}
"""How large a group's zip may become, in MB: above what it is, below what would be noticed at a cold start."""

LARGEST_OF_LAMBDA: Final = 250 * 1024 * 1024
"""Unzipped; the only bound for a worker with a project of the user's."""

MEGABYTE: Final = 1_000_000


class BundleTooLarge(RuntimeError):
    """A bundle is larger than it may be; the message is one line."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A finished bundle and its sizes in bytes: `size` is what counts against Lambda's 250 MB."""

    name: str
    folder: Path
    size: int
    zipped: int

    def __str__(self) -> str:
        return f"{self.name:14} {self.zipped / MEGABYTE:6.1f} MB zipped, {self.size / MEGABYTE:6.1f} MB"


class Bundler:
    """Makes bundles for one platform under one build folder."""

    def __init__(self, platform: Platform, project: GraphProject, *, build: Path = BUILD) -> None:
        self._platform = platform
        self._project = project
        self._build = build / f"{platform.name or 'host'}-{platform.python}"
        self._deflated: dict[tuple[int, int], int] = {}
        self._compiler = interpreter(platform.python)
        if self._compiler is None:
            print(
                f"graphjobs: no Python {platform.python} was found, so the bundles hold no bytecode and every cold "
                f"start takes seconds longer; uv python install {platform.python} gets one."
            )

    def bundle(self, name: str) -> Bundle:
        """Make the bundle of one function.

        Raises:
            UvError: its dependencies cannot be installed.
            BundleTooLarge: it is larger than Lambda takes, or than `LARGEST` of ours.
        """
        folder = self._build / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copytree(self._dependencies(GROUPS[name]), folder, copy_function=_link, dirs_exist_ok=True)
        entry = ROOT / "functions" / name / "handler.py"
        copy_parts(parts_of(entry, SOURCE), SOURCE, folder / "graphjobs")
        shutil.copy2(entry, folder / f"{ENTRY}.py")
        if name == "worker":
            self._project.copy_into(folder)
        if name == "stream":
            script = shutil.copy2(ROOT / "functions" / name / "run.sh", folder / "run.sh")
            os.chmod(script, 0o755)
        if self._compiler:
            ours = ("graphjobs", f"{ENTRY}.py", FOLDER)
            self._compiler.compile(folder, [item for item in ours if (folder / item).exists()])
        stamp(folder)
        bundle = Bundle(name, folder, *self._sizes(folder))
        self._check(bundle)
        return bundle

    def _check(self, bundle: Bundle) -> None:
        largest = LARGEST[GROUPS[bundle.name]]
        if bundle.size > LARGEST_OF_LAMBDA:
            raise BundleTooLarge(f"{bundle}: Lambda takes 250 MB (262 MB as counted here). Name fewer dependencies.")
        if bundle.zipped > largest * MEGABYTE and (bundle.name != "worker" or self._project.built_in):
            raise BundleTooLarge(f"{bundle}: at most {largest} MB zipped are expected (infra.bundling.LARGEST).")

    def _dependencies(self, group: str) -> Path:
        """The folder with the group's packages, installed unless it is there already."""
        requirements = uv.export(ROOT, group)
        foreign = self._project.sources if group == "worker" else ()
        services = None if foreign else SERVICES[group]
        settings = repr((self._platform, services, self._compiler))
        made_from = [requirements, settings, *foreign, *_manifests(foreign)]
        digest = hashlib.sha256("\0".join(made_from).encode()).hexdigest()[:16]
        folder = self._build / "dependencies" / f"{group}-{digest}"
        if folder.exists():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            locked = Path(scratch, "requirements.txt")
            locked.write_text(requirements)
            fresh = Path(scratch, "packages")
            uv.install(fresh, self._platform, ["-r", str(locked), *foreign], root=ROOT)
            trim(fresh, services)
            if self._compiler:
                self._compiler.compile(fresh)
            fresh.rename(folder)
        return folder

    def _sizes(self, folder: Path) -> tuple[int, int]:
        size = zipped = 0
        for path in folder.rglob("*"):
            if path.is_file():
                stat = path.stat()
                size += stat.st_size
                identity = (stat.st_dev, stat.st_ino)
                if identity not in self._deflated:
                    self._deflated[identity] = len(zlib.compress(path.read_bytes(), 6))
                # A zip has two headers an entry, with the name in each.
                zipped += self._deflated[identity] + 76 + 2 * len(str(path.relative_to(folder)))
        return size, zipped


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _manifests(sources: tuple[str, ...]) -> list[str]:
    return [Path(source).read_text() for source in sources if Path(source).is_file()]


def main() -> None:
    """Build every bundle for the default Lambda platform and print the sizes."""
    bundler = Bundler(Platform.of_lambda("python3.13", "arm64"), graph_project(ROOT, f"{BUILT_IN}/langgraph.json"))
    for name in GROUPS:
        print(bundler.bundle(name))


if __name__ == "__main__":
    main()
