"""Bundles: one folder a function, which becomes its zip. No Docker.

A bundle holds the function's dependency group as uv.lock pins it, for Lambda's platform; its entry, and the parts of
the package that the entry reaches. The worker's holds the project with the graphs, and its packages with the worker's.
Everything is compiled for the target's Python. Equal inputs give equal bundles.

    python -m infra.bundling          builds all and prints their sizes
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from graphjobs.core.manifest import FUNCTIONS
from graphjobs.packages.resolution import Resolution
from graphjobs.packages.uv import Platform
from infra.bytecode import interpreter
from infra.files import files, link_files
from infra.graph_check import Packages
from infra.graph_project import DEFAULT, FOLDER, GraphProject, GraphProjectError, graph_project
from infra.installed import ROOT, WORKER, Installed
from infra.parts import copy_parts, parts_of
from infra.trim import stamp
from infra.worker_packages import install_project

SOURCE: Final = ROOT / "src" / "graphjobs"
BUILD: Final = ROOT / "build"
ENTRY: Final = "graphjobs_function"
"""The module that Lambda calls: no name that a user's project would have."""

GROUPS: Final = {spec.name: spec.group for spec in FUNCTIONS.values()}
"""The dependency group of each function."""

LARGEST: Final = {"api": 10, "reconcile": 7, "stream": 14}
"""How large a group's zip may become, in MB: above what it is, below what would be noticed at a cold start."""

LARGEST_OF_LAMBDA: Final = 250 * 1024 * 1024
"""Of a zip, unzipped; the only bound for the worker."""

LARGEST_IMAGE: Final = 10 * 1024 * 1024 * 1024

MEGABYTE: Final = 1_000_000

AS_UPLOADED: Final = 6
FAST: Final = 2
"""Levels of zlib."""


class BundleTooLarge(RuntimeError):
    """A bundle is larger than it may be; the message is one line."""


class Deflated:
    """How large files become in a zip. What several bundles have, as links or as copies, is deflated once."""

    def __init__(self, level: int) -> None:
        """`level` is zlib's: the higher, the smaller and slower."""
        self._level = level
        self._files: dict[tuple[int, int], int] = {}
        self._contents: dict[bytes, int] = {}

    def size(self, folder: Path) -> int:
        """Of the zip of `folder`, in bytes."""
        total = 0
        for file in files(folder):
            stat = file.stat()
            identity = (stat.st_dev, stat.st_ino)
            if identity not in self._files:
                self._files[identity] = self._deflated(Path(file.path).read_bytes())
            # A zip has two headers per entry, with the name in each.
            total += self._files[identity] + 76 + 2 * (len(file.path) - len(str(folder)) - 1)
        return total

    def _deflated(self, content: bytes) -> int:
        digest = hashlib.sha256(content).digest()
        if digest not in self._contents:
            self._contents[digest] = len(zlib.compress(content, self._level))
        return self._contents[digest]


@dataclass(frozen=True)
class Bundle:
    """A finished bundle. `size` is what counts against Lambda's 250 MB, in bytes."""

    name: str
    folder: Path
    size: int
    deflated: Deflated
    deflated_fast: Deflated

    @cached_property
    def zipped(self) -> int:
        """The size of its zip in bytes. It takes seconds for a worker, so only who asks pays for it."""
        return self.deflated.size(self.folder)

    @cached_property
    def zipped_fast(self) -> int:
        """The size of a zip that is made in half the time or less, and is up to a tenth larger."""
        return self.deflated_fast.size(self.folder)

    def __str__(self) -> str:
        return f"{self.name:14} {self.zipped / MEGABYTE:6.1f} MB zipped, {self.size / MEGABYTE:6.1f} MB"


class Bundler:
    """Makes bundles for one platform under one build folder."""

    def __init__(
        self,
        platform: Platform,
        project: GraphProject,
        *,
        build: Path = BUILD,
        write_lock: bool = False,
        worker_limit: int = LARGEST_OF_LAMBDA,
    ) -> None:
        """`worker_limit` is how large the worker may become, unzipped, in bytes."""
        self._platform = platform
        self._project = project
        self._build = build / f"{platform.name or 'host'}-{platform.python}"
        self._write_lock = write_lock
        self._worker_limit = worker_limit
        self._deflated, self._deflated_fast = Deflated(AS_UPLOADED), Deflated(FAST)
        self._compiler = interpreter(platform.python)
        if self._compiler is None:
            print(
                f"graphjobs: no Python {platform.python} was found, so the bundles hold no bytecode and every cold "
                f"start takes seconds longer; uv python install {platform.python} gets one."
            )
        self._installed = Installed(self._build / "dependencies", platform, self._compiler)

    @cached_property
    def resolution(self) -> Resolution:
        """The packages of the worker's bundle.

        Raises:
            GraphProjectError: those of the worker and of the project contradict each other.
            UvError: uv failed.
        """
        return self._installed.resolution(self._project, write_lock=self._write_lock)

    @cached_property
    def project(self) -> GraphProject:
        """The project with every folder that its packages need."""
        return self._project.with_folders(self.resolution.local)

    def packages_of(self, bundle: Bundle) -> Packages:
        """With which packages the graphs of the worker's bundle can be imported on this machine."""
        return Packages.choose(bundle.folder, self._platform, self._compiler)

    def bundle(self, name: str) -> Bundle:
        """Make the bundle of one function.

        Raises:
            UvError: its dependencies cannot be installed.
            GraphProjectError: the project's packages cannot be had for the platform.
            BundleTooLarge: it is larger than Lambda takes, or than `LARGEST` of ours.
        """
        folder = self._build / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if name == WORKER:
            self._worker(folder)
        else:
            link_files(self._installed.group(GROUPS[name]), folder)
        entry = ROOT / "functions" / name / "handler.py"
        copy_parts(parts_of(entry, SOURCE), SOURCE, folder / "graphjobs")
        shutil.copy2(entry, folder / f"{ENTRY}.py")
        if name == "stream":
            script = shutil.copy2(ROOT / "functions" / name / "run.sh", folder / "run.sh")
            os.chmod(script, 0o755)
        if self._compiler:
            ours = ("graphjobs", f"{ENTRY}.py", FOLDER)
            others = [self._build / other for other in GROUPS if other != name]
            self._compiler.compile(folder, [item for item in ours if (folder / item).exists()], earlier=others)
        stamp(folder)
        size = sum(file.stat().st_size for file in files(folder))
        bundle = Bundle(name, folder, size, self._deflated, self._deflated_fast)
        self.check(bundle)
        return bundle

    def _worker(self, folder: Path) -> None:
        link_files(self._installed.worker(self._project, self.resolution), folder)
        python = self._compiler.path if self._compiler else None
        roots = install_project(self.resolution, folder, self._platform, python)
        taken = [name for name in (FOLDER, "graphjobs", f"{ENTRY}.py") if (folder / name).exists()]
        if taken:
            raise GraphProjectError(f"graphs: a package of the project is named {taken[0]}, which is graphjobs' own.")
        left_out = self.project.copy_into(folder, roots)
        if left_out:
            print(f"graphjobs: of the project these stay here: {', '.join(left_out)}")
        env_file = self.project.env_file
        if env_file and not self.project.deploy_env_file:
            print(
                f"graphjobs: {env_file.name} stays here too: give its variables as worker_environment or "
                "worker_secrets, or deploy it with -c deploy_env_file=true."
            )

    def check(self, bundle: Bundle) -> None:
        """Whether `bundle` may be as large as it is.

        Raises:
            BundleTooLarge: it is larger than Lambda takes, or than `LARGEST` of ours.
        """
        if bundle.name == WORKER and bundle.size > self._worker_limit:
            raise BundleTooLarge(
                f"{bundle.name}, {bundle.size / MEGABYTE:.1f} MB: Lambda takes 250 MB as a zip (262 MB as counted "
                "here), 10 GB as an image. Name fewer dependencies, or deploy the worker as a container image with "
                "-c worker_package=image."
            )
        largest = LARGEST.get(GROUPS[bundle.name])
        # Nearly always the fast one will do.
        if largest is not None and bundle.zipped_fast > largest * MEGABYTE and bundle.zipped > largest * MEGABYTE:
            raise BundleTooLarge(f"{bundle}: at most {largest} MB zipped are expected (infra.bundling.LARGEST).")


def main() -> None:
    """Build every bundle for the default Lambda platform and print the sizes."""
    bundler = Bundler(Platform.of_lambda("python3.13", "arm64"), graph_project(ROOT, DEFAULT))
    for name in GROUPS:
        print(bundler.bundle(name))


if __name__ == "__main__":
    main()
