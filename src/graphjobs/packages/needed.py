"""What graphjobs itself needs of an environment, out of its own metadata."""

from __future__ import annotations

from importlib.metadata import distribution

from packaging.requirements import Requirement


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
