"""What a bundle does without: other services' API models, tests, caches, installer records, type stubs.

Everything is removed by a rule that holds for any of the packages that are locked here and tested so, never by a list
of files of one version. A user's own packages keep all.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

from graphjobs.packages.resolution import normal
from infra.files import entries

SHARED_MODELS: Final = ("endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json")
"""What botocore reads for any service."""

JUNK_FOLDER: Final = "tests"
JUNK_SUFFIXES: Final = (".pyc", ".pyi", ".pyx", ".pxd", ".a", ".h")
RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""In a ``.dist-info``; METADATA and entry points stay, since packages read their own version there."""

TIMESTAMP: Final = 946_684_800
"""2000-01-01, of every file, so that equal bundles are equal archives."""


def trim(folder: Path, services: Collection[str] | None, ours: Collection[str] | None = None) -> None:
    """Trim an installed `folder`.

    Args:
        folder: to which packages were installed.
        services: the AWS services to keep; None keeps all.
        ours: names of the packages that are trimmed, as ``langgraph-sdk``; None trims all. The others are a user's:
            some read their type stubs when they are imported, or import what is named `tests`.
    """
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    kept = set() if ours is None else _files_of_others(folder, ours)
    if services is not None:
        for package in ("botocore", "boto3"):
            _keep_services(folder / package / "data", services)
    _sweep(str(folder), (), kept)


def _sweep(where: str, below: tuple[str, ...], kept: set[str]) -> bool:
    """Remove what is of no use in a folder, which is named by its path and by its place; whether it is empty now."""
    left = False
    with os.scandir(where) as found:
        for entry in list(found):
            if not entry.is_dir():
                if entry.path not in kept and _is_junk(entry.name, below):
                    Path(entry.path).unlink()
                else:
                    left = True
            elif entry.name == "__pycache__" or _sweep(entry.path, (*below, entry.name), kept):
                shutil.rmtree(entry.path)
            else:
                left = True
    return not left


def _is_junk(name: str, below: tuple[str, ...]) -> bool:
    """Whether the file `name` in the folders `below` is of no use."""
    if name.endswith(JUNK_SUFFIXES) or JUNK_FOLDER in below:
        return True
    return name in RECORDS and bool(below) and below[-1].endswith(".dist-info")


def _files_of_others(folder: Path, ours: Collection[str]) -> set[str]:
    kept: set[str] = set()
    for distribution in distributions(path=[str(folder)]):
        if normal(distribution.name) not in ours:
            kept |= {str(folder / str(file)) for file in distribution.files or ()}
    return kept


def _keep_services(data: Path, services: Collection[str]) -> None:
    if not data.is_dir():
        return
    for path in data.iterdir():
        if path.is_dir() and path.name not in services:
            shutil.rmtree(path)
        elif path.is_file() and path.name not in SHARED_MODELS and not path.name.startswith("partitions"):
            path.unlink()


def stamp(folder: Path) -> None:
    """Give every file of `folder` the same time."""
    for entry in entries(folder):
        os.utime(entry.path, (TIMESTAMP, TIMESTAMP))
