"""The packages of the worker's bundle: what the worker needs, and the project's own, for the platform of Lambda."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from graphjobs.packages import uv
from graphjobs.packages.project import is_built
from graphjobs.packages.resolution import Resolution
from graphjobs.packages.uv import Platform, UvError
from infra.graph_project import GraphProjectError
from infra.project_files import ANYWHERE, AT_THE_TOP, import_roots

OF_AN_INDEX: Final = ("-any", "manylinux", "musllinux")
"""What the tag of a wheel has that runs on Lambda; one that was built here for this machine has ``linux_x86_64``."""


def install_pins(resolution: Resolution, target: Path, platform: Platform, root: Path, python: str | None) -> None:
    """Install the versions of `resolution` into the folder `target`.

    Raises:
        UvError: one of them cannot be had.
        GraphProjectError: one comes as source alone and does not become a package that runs anywhere.
    """
    with tempfile.TemporaryDirectory() as scratch:
        pins = Path(scratch, "requirements.txt")
        pins.write_text(resolution.text, encoding="utf-8")
        sources = ["--no-deps", "-r", str(pins)]
        uv.install(target, platform, sources, root=root, build=resolution.builds, python=python)
    if platform.name is None:
        return
    for wheel in target.glob("*.dist-info/WHEEL"):
        tags = [line.split()[1] for line in wheel.read_text(encoding="utf-8").splitlines() if line.startswith("Tag:")]
        if not any(part in tag for tag in tags for part in OF_AN_INDEX):
            name = wheel.parent.name.removesuffix(".dist-info")
            raise GraphProjectError(
                f"graphs: {name} comes as source alone and has compiled parts ({', '.join(tags)}), which cannot be "
                f"built here for {platform.name}."
            )


def install_project(resolution: Resolution, bundle: Path, platform: Platform, python: str | None) -> list[Path]:
    """Build each local package and put into the bundle what cannot be imported from the project's own folders.

    Returns:
        The folders, of the project, that modules are imported from.

    Raises:
        UvError: a package cannot be built.
        GraphProjectError: a package has compiled parts.
    """
    roots: list[Path] = []
    for folder in resolution.local:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                wheel = uv.build_wheel(_source(folder, Path(scratch)), Path(scratch, "wheel"), python=python)
            except UvError as error:
                if is_built(folder):
                    raise
                # Without a [build-system] it is often a list of requirements beside modules, and no package at all.
                print(f"graphjobs: {folder} has no [build-system] and is not installed as a package; {_last(error)}")
                roots.append(folder)
                continue
            if platform.name and not wheel.name.endswith("-any.whl"):
                raise GraphProjectError(f"graphs: {folder} has compiled parts ({wheel.name}): not built for Lambda.")
            found = import_roots(folder, wheel)
            _unpack(wheel, bundle, only_metadata=found is not None)
            roots += found or []
    return roots


def _source(folder: Path, scratch: Path) -> Path:
    """Where `folder` is built: itself, or a copy if it does not say how, since setuptools would leave files in it."""
    if is_built(folder):
        return folder
    ignored = shutil.ignore_patterns(".*", *ANYWHERE, *AT_THE_TOP)
    return Path(shutil.copytree(folder, scratch / "source", ignore=ignored))


def _unpack(wheel: Path, bundle: Path, *, only_metadata: bool) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            top, _, rest = name.partition("/")
            if top.endswith(".data"):
                # Of its parts only these two are imported; scripts and headers are of no use on Lambda.
                part, _, rest = rest.partition("/")
                if part in ("purelib", "platlib") and rest and not only_metadata:
                    _write(archive.read(name), bundle / rest)
            elif top.endswith(".dist-info") or not only_metadata:
                _write(archive.read(name), bundle / name)


def _write(content: bytes, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _last(error: UvError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else "uv gave no reason"
