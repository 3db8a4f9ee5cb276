"""The graphs of a bundle, imported before they are deployed: what cannot be loaded is said at synth, not by a job.

In a process of its own, which has the variables that the worker will have and not those of this shell. With the
bundle's own packages where those run on this machine; else with the packages of the environment that runs the
synthesis, where a package that is missing says nothing of the bundle.
"""

from __future__ import annotations

import json
import os
import platform as machine
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphjobs.packages.uv import GLIBC, Platform
from infra.bytecode import Interpreter
from infra.graph_project import FOLDER, GraphProject, GraphProjectError

SECONDS: Final = 120

OF_THE_MACHINE: Final = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY")
LIKE_LAMBDA: Final = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_EC2_METADATA_DISABLED": "true",
}
SECRET: Final = "known-when-it-is-deployed"  # noqa: S105 - stands for one

ABSENT: Final = ("ModuleNotFoundError", "ImportError")

IMPORT: Final = """
import json, os, sys
bundle, config, result = sys.argv[1:]
if bundle:
    sys.path.insert(0, bundle)
from pathlib import Path
from graphjobs.core import langgraph_json
from graphjobs.worker.embeddings import load_embeddings
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.user_environment import enter_project
enter_project(config)
found = [[each.name, each.reason, each.cause] for each in GraphLoader(config).check()]
file = langgraph_json.read(Path(config))
embed = ((file.store or {}).get("index") or {}).get("embed")
try:
    embed and load_embeddings(embed, file.root)
except GraphLoadError as error:
    found.append(["", str(error), error.cause_type])
Path(result).write_text(json.dumps(found))
sys.stdout.flush()
os._exit(0)  # whatever threads the modules have left
"""


@dataclass(frozen=True, slots=True)
class Packages:
    """Whose packages the graphs are imported with.

    Attributes:
        command: the interpreter and its options.
        bundle: the folder whose packages they are; None for those of the environment of `command`.
    """

    command: Sequence[str]
    bundle: Path | None

    @classmethod
    def choose(cls, bundle: Path, platform: Platform, interpreter: Interpreter | None) -> Packages:
        """The bundle's, if they run here; else those of this environment."""
        if interpreter is not None and runs_here(platform):
            return cls([interpreter.path, "-I", "-S"], bundle)
        return cls([sys.executable, "-P"], None)


def runs_here(platform: Platform) -> bool:
    """Whether compiled packages for `platform` can be loaded on this machine."""
    if platform.name is None:
        return True
    libc, version = machine.libc_ver()
    needed = tuple(map(int, GLIBC.split("_")[1:]))
    is_new = libc == "glibc" and tuple(map(int, version.split("."))) >= needed
    return platform.name.startswith(f"{machine.machine()}-") and is_new


def check_graphs(
    bundle: Path, project: GraphProject, packages: Packages, variables: Mapping[str, str], say: Callable[[str], object]
) -> None:
    """Import every graph of the worker's `bundle`; `say` is given a line for each that cannot be loaded.

    Args:
        bundle: the finished folder; nothing is written into it.
        project: whose graphs.
        packages: with which they are imported.
        variables: those that the worker will have.
        say: takes lines without a line break.

    Raises:
        GraphProjectError: not one of the graphs can be loaded.
    """
    with tempfile.TemporaryDirectory() as scratch:
        # A module may write files beside itself, and those of the bundle are links.
        copy, result = Path(scratch, FOLDER), Path(scratch, "result.json")
        shutil.copytree(bundle / FOLDER, copy)
        config = Path(scratch, project.deployed_path)
        reason = _run(packages, config, result, variables)
        if reason:
            say(f"graphs: could not be tried here: {reason}")
            return
        text = result.read_text(encoding="utf-8")
        # Within the JSON's texts, as they are written there.
        here, there = (json.dumps(str(folder))[1:-1] for folder in (config.parent, project.file.root))
        found = json.loads(text.replace(here, there))
    unknown = [name for name, _, cause in found if packages.bundle is None and cause in ABSENT]
    wrong = [(name, reason) for name, reason, _ in found if reason and name not in unknown]
    loaded = [name for name, reason, _ in found if name and not reason]
    if packages.bundle is None:
        say("graphs: imported with the packages of this environment, since those of the bundle run on Lambda alone")
    if unknown:
        lacking = ", ".join(name or "store.index" for name in unknown)
        say(f"graphs: not tried, for want of packages here (graphjobs install {project.file.path}): {lacking}")
    for _, reason in wrong:
        say(f"graphs: {reason}")
    if wrong and not loaded and not unknown:
        raise GraphProjectError(
            "graphs: none can be loaded, so every job would fail; to deploy them all the same: -c check_graphs=false."
        )


def _run(packages: Packages, config: Path, result: Path, variables: Mapping[str, str]) -> str:
    """Import them; why not, in one line, if that did not come to an end."""
    environ = {name: os.environ[name] for name in OF_THE_MACHINE if name in os.environ}
    command = [*packages.command, "-B", "-c", IMPORT, str(packages.bundle or ""), str(config), str(result)]
    try:
        done = subprocess.run(
            command,
            cwd=config.parent,
            env={**environ, **LIKE_LAMBDA, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"their import takes more than {SECONDS} s"
    if result.is_file():
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"the interpreter ended with exit code {done.returncode}"
