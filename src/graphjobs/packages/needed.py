"""What graphjobs itself needs of an environment, out of its own metadata."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution, version
from typing import Final

from packaging.requirements import Requirement

EXTRAS: Final = ("api", "stream", "worker", "local")
"""What `graphjobs local` needs."""


def needed(*extras: str) -> tuple[str, ...]:
    """The requirements of these extras, such as ``worker``, without conditions and without graphjobs itself."""
    found: dict[str, None] = {}
    for text in distribution("graphjobs").requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        wanted = marker is not None and any(marker.evaluate({"extra": extra}) for extra in extras)
        if wanted and requirement.name != "graphjobs":
            requirement.marker = None
            found[str(requirement)] = None
    return tuple(found)


def unmet(*extras: str) -> list[str]:
    """What this environment has in place of what these extras need; a phrase for each, none if all is well."""
    found = []
    for requirement in map(Requirement, needed(*extras)):
        try:
            here = version(requirement.name)
        except PackageNotFoundError:
            found.append(f"{requirement}, which is not there")
            continue
        if not requirement.specifier.contains(here, prereleases=True):
            found.append(f"{requirement.name} {requirement.specifier}, and there is {here}")
    return found
