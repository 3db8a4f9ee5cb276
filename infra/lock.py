"""A project's lock: ``graphjobs-lock.txt`` beside its ``langgraph.json``, a requirements file with versions and hashes.

Where it is there, exactly that is installed, and the installer checks each hash; nothing is resolved anew. It is
written on demand (``-c write_lock=true``) and says from what: if the requirements or the platform have changed since,
it is refused rather than used or passed over.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from graphjobs.packages.project import MANIFESTS, ProjectPackages
from graphjobs.packages.resolution import Resolution, pins
from graphjobs.packages.uv import Platform
from infra.graph_project import GraphProjectError

NAME: Final = "graphjobs-lock.txt"
INPUTS: Final = "# inputs: "
LOCAL: Final = "# local: "
LEFT_OUT: Final = "# left out: "
BUILDS: Final = "# builds: some packages come as source"


def write(packages: ProjectPackages, needed: Sequence[str], platform: Platform, resolution: Resolution) -> Path:
    """Write the lock of `resolution`; returns its path."""
    path = packages.root / NAME
    head = [
        "# The worker's packages with this project; written by `cdk synth -c write_lock=true`.",
        INPUTS + _digest(packages, needed, platform, resolution.local),
        *(LOCAL + os.path.relpath(folder, packages.root) for folder in resolution.local),
        *(LEFT_OUT + name for name in resolution.left_out),
        *([BUILDS] if resolution.builds else []),
    ]
    path.write_text("\n".join(head) + "\n" + resolution.text, encoding="utf-8")
    return path


def read(packages: ProjectPackages, needed: Sequence[str], platform: Platform) -> Resolution | None:
    """What the project's lock says; None if there is no lock.

    Raises:
        GraphProjectError: it was made from other requirements, or for another platform.
    """
    path = packages.root / NAME
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    local = tuple((packages.root / where).resolve() for where in _after(lines, LOCAL))
    if _after(lines, INPUTS) != [_digest(packages, needed, platform, local)]:
        raise GraphProjectError(
            f"graphs: {path} was made from other requirements, or for another runtime or architecture; write it "
            "again with -c write_lock=true, or delete it."
        )
    found = {name: entries[0] for name, entries in pins(text).items()}
    return Resolution(found, local, tuple(_after(lines, LEFT_OUT)), BUILDS in lines)


def _after(lines: Sequence[str], prefix: str) -> list[str]:
    return [line.removeprefix(prefix) for line in lines if line.startswith(prefix)]


def _digest(packages: ProjectPackages, needed: Sequence[str], platform: Platform, local: Sequence[Path]) -> str:
    """Of everything that the versions follow from but the index."""
    made_from = [*needed, repr(platform), *packages.requirements]
    folders = (*packages.packages, *local)
    for file in (*packages.requirement_files, *(folder / name for folder in folders for name in MANIFESTS)):
        if file.is_file():
            made_from += [os.path.relpath(file, packages.root), file.read_text(encoding="utf-8")]
    return "sha256:" + hashlib.sha256("\0".join(made_from).encode()).hexdigest()
