"""A project's packages into the environment that runs `graphjobs local`.

What graphjobs needs is demanded, and stays at the version that is installed where the project has nothing against it.
Of the rest, the versions of the project's ``uv.lock`` are preferred, as in a bundle, then those that are installed. The
project's own packages are installed editable, so that a change of them is seen at the next job.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from graphjobs.core import langgraph_json
from graphjobs.packages import uv
from graphjobs.packages.needed import EXTRAS, needed
from graphjobs.packages.project import is_built, project_packages
from graphjobs.packages.resolution import merged, normal, pins, resolve
from graphjobs.packages.uv import Platform, UvError

FILE: Final = "langgraph.json"


def install_project(path: Path, say: Callable[[str], None]) -> None:
    """Install the packages of the ``langgraph.json`` at `path`, or in the folder `path`; `say` is given lines.

    Raises:
        LangGraphJsonInvalid, ProjectPackagesInvalid: the file cannot be used.
        PackagesConflict: the project and graphjobs contradict each other.
        UvError: uv is missing or failed.
    """
    file = langgraph_json.read(path / FILE if path.is_dir() else path)
    packages = project_packages(file)
    here, wanted = uv.freeze(sys.executable), needed(*EXTRAS)
    preferred = merged(_without(uv.locked(packages.root), wanted), here)
    resolution = resolve(packages, wanted, Platform.of_host(), preferred=preferred, python=sys.executable)
    present = pins(here)
    changed = [name for name, pin in resolution.pins.items() if _exact(pin) not in map(_exact, present.get(name, ()))]
    for name in resolution.left_out:
        say(f"{name} is left out: graphjobs takes its place.")
    if changed:
        say(f"Installing {', '.join(sorted(changed))}")
        uv.install_here(sys.executable, packages.root, resolution.text)
    for folder in resolution.local:
        say(f"Installing {folder}, editable")
        try:
            uv.install_here(sys.executable, packages.root, f"-e {folder}\n")
        except UvError:
            if is_built(folder):
                raise
            # Without a [build-system] it is often a list of requirements beside modules, and no package at all.
            say(f"{folder} has no [build-system] and is no package: its modules are found where they are.")
    say(f"The packages of {file.path} are installed.")


def _without(lock: str, requirements: Iterable[str]) -> str:
    """A requirements file without the packages that `requirements` name."""
    names = {normal(Requirement(text).name) for text in requirements}
    return "".join(f"{entry}\n" for name, entries in pins(lock).items() if name not in names for entry in entries)


def _exact(pin: str) -> str:
    return pin.split(" ")[0].split(";")[0].split("\\")[0].strip()
