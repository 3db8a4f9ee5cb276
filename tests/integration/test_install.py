"""`graphjobs install`, with the real uv and without the internet: a project's packages into an environment of its own.

The environment holds what is installed into it, and sees the packages of this one, which stay as they are. What
graphjobs itself needs is taken for granted here: uv looks into the environment alone, and would ask an index for it.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graphjobs.packages import install, uv
from graphjobs.packages.uv import UvError
from tests.support.forked import forks
from tests.support.projects import GRAPH, requirement, write_project

pytestmark = pytest.mark.timeout(300)

INSTALLED = "tests.integration.installed"

BACKEND = r"""
import pathlib, tomllib, zipfile

def build_editable(folder, *_):
    manifest = tomllib.loads(pathlib.Path("pyproject.toml").read_text())
    project, modules = manifest["project"], pathlib.Path(manifest["tool"]["own"]["modules"]).resolve()
    name, record = project["name"], f"{project['name']}-1.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in project["dependencies"])
    with zipfile.ZipFile(pathlib.Path(folder, f"{name}-1-py3-none-any.whl"), "w") as archive:
        archive.writestr(f"{name}.pth", f"{modules}\n")
        archive.writestr(f"{record}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{needs}")
        archive.writestr(f"{record}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{record}/RECORD", "")
    return f"{name}-1-py3-none-any.whl"
"""
"""A build backend that is part of the package that it builds, so that none has to be fetched."""


def package(folder: str, name: str, modules: str, *requires: str) -> dict[str, str]:
    """Files of a package in `folder`, such as ``shared/``, that has its modules in `modules`, seen from there."""
    manifest = f"[project]\nname = {name!r}\nversion = '1'\ndependencies = {list(requires)!r}\n"
    build = "[build-system]\nrequires = []\nbuild-backend = 'own_backend'\nbackend-path = ['.']\n"
    own = f"[tool.own]\nmodules = {modules!r}\n"
    return {f"{folder}pyproject.toml": manifest + build + own, f"{folder}own_backend.py": BACKEND}


Answer = Callable[[Path], object]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The interpreter of an environment that sees the packages of this one; it is what is installed into."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=False)
    own = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    here = sysconfig.get_paths()["purelib"]
    (own / "of_the_tests.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setattr(install, "needed", lambda *extras: ())
    monkeypatch.setattr("sys.executable", str(folder / "bin" / "python"))
    return folder / "bin" / "python"


@pytest.fixture
def answer(python: Path, tmp_path: Path) -> Iterator[Answer]:
    """What the graph of a project says, or why it cannot be loaded: in the environment as it is then."""
    with forks([INSTALLED, "langgraph.graph"], os.environ, tmp_path) as run:
        yield lambda config: json.loads(run(INSTALLED, str(config)))


def test_a_project_of_packages_folders_and_requirements_runs_once_it_is_installed(
    tmp_path: Path, answer: Answer
) -> None:
    """Two packages share a namespace, one has its modules under src; all of it is found, and a change is seen."""
    config = write_project(
        tmp_path / "mine",
        {
            **package("", "mine", "src", requirement(tmp_path, "greeting")),
            **package("shared/", "shared_words", "."),
            "src/acme/agent/__init__.py": "",
            "src/acme/agent/words.py": "A = 'one '",
            "shared/acme/words.py": "B = 'two '",
            "tools/requirements.txt": requirement(tmp_path, "parting") + "\n",
            "agent.py": GRAPH.format(
                imports="import greeting, parting\nfrom acme.agent.words import A\nfrom acme.words import B",
                text="greeting.words() + ' ' + A + B + parting.words()",
            ),
        },
        dependencies=[".", "./shared", "./tools", "langgraph-cli"],
    )
    missing = answer(config)
    assert isinstance(missing, list) and "No module named 'greeting'" in missing[0]
    assert missing[0].endswith(f"graphjobs install {config.parent}")

    said: list[str] = []
    install.install_project(config, said.append)
    assert "langgraph-cli is left out: graphjobs takes its place." in said
    assert "Installing greeting, parting" in said
    assert answer(config) == "greeting one two parting"

    (config.parent / "src/acme/agent/words.py").write_text("A = 'another '")
    assert answer(config) == "greeting another two parting"


def test_a_project_whose_packages_cannot_be_had_installs_nothing(tmp_path: Path, python: Path) -> None:
    needs = f"{requirement(tmp_path, 'greeting')}\nno-such-package-of-ours==1\n"
    config = write_project(tmp_path / "mine", {"requirements.txt": needs, "agent.py": ""})
    with pytest.raises(UvError, match="no-such-package-of-ours"):
        install.install_project(config, lambda line: None)
    assert uv.freeze(str(python)) == ""
    assert list(tmp_path.glob("env/lib/*/site-packages/greeting*")) == []
