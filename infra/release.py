"""The name of what is deployed: one digest over all bundles and the configuration, on every function.

It is an environment variable, so a deployment that changes anything publishes a new version of every function, and
the versions of one deployment can be found again (`infra.releases`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infra.config import Config

ALIAS: Final = "live"
"""What is invoked of every function: the version of the deployment that is in force."""

RELEASE_VARIABLE: Final = "GRAPHJOBS_RELEASE"
LENGTH: Final = 12


def release_of(config: Config, bundles: Iterable[Path]) -> str:
    """The digest: equal files and an equal configuration give an equal release."""
    digest = hashlib.sha256(repr(config).encode())
    for bundle in bundles:
        digest.update(bundle.name.encode())
        _add(digest, bundle, bundle.rglob("*"))
    return digest.hexdigest()[:LENGTH]


def graph_digest(bundle: Path) -> str:
    """The digest of the project in the worker's bundle and of the packages that it runs with; not of our own code.

    It is what a job's claim and its `metadata` event name: equal files, equal digest.
    """
    digest = hashlib.sha256()
    theirs = [each for each in bundle.iterdir() if not each.name.startswith("graphjobs")]
    _add(digest, bundle, (path for each in theirs for path in ([each] if each.is_file() else each.rglob("*"))))
    return digest.hexdigest()[:LENGTH]


def _add(digest: hashlib._Hash, root: Path, paths: Iterable[Path]) -> None:
    for path in sorted(paths):
        if path.is_file():
            digest.update(f"\0{path.relative_to(root)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
