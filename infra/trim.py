"""What a bundle does without: other services' API models, tests, caches, installer records, type stubs.

Everything is removed by a rule that holds for any package, never by a list of files of one version.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

SHARED_MODELS: Final = ("endpoints.json", "partitions.json", "sdk-default-configuration.json", "_retry.json")
"""What botocore reads for any service."""

JUNK_FOLDERS: Final = frozenset({"__pycache__", "tests"})
JUNK_SUFFIXES: Final = frozenset({".pyc", ".pyi", ".pyx", ".pxd", ".a", ".h"})
RECORDS: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"})
"""In a ``.dist-info``; METADATA and entry points stay, since packages read their own version there."""

TIMESTAMP: Final = 946_684_800
"""2000-01-01, of every file, so that equal bundles are equal archives."""


def trim(folder: Path, services: Collection[str] | None) -> None:
    """Trim an installed `folder`; `services` are the AWS services to keep, None keeps all."""
    shutil.rmtree(folder / "bin", ignore_errors=True)
    (folder / ".lock").unlink(missing_ok=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in JUNK_FOLDERS:
                shutil.rmtree(path)
        elif path.suffix in JUNK_SUFFIXES or (path.parent.suffix == ".dist-info" and path.name in RECORDS):
            path.unlink(missing_ok=True)
    if services is not None:
        for package in ("botocore", "boto3"):
            _keep_services(folder / package / "data", services)


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
    for path in folder.rglob("*"):
        os.utime(path, (TIMESTAMP, TIMESTAMP))
