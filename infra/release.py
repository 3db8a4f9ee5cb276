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

LENGTH: Final = 12


def release_of(config: Config, bundles: Iterable[Path]) -> str:
    """The digest: equal files and an equal configuration give an equal release."""
    digest = hashlib.sha256(repr(config).encode())
    for bundle in bundles:
        digest.update(bundle.name.encode())
        for path in sorted(bundle.rglob("*")):
            if path.is_file():
                digest.update(f"\0{path.relative_to(bundle)}\0".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:LENGTH]
