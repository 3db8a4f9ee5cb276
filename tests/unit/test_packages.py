"""What a project's ``langgraph.json`` says of packages, and the lines that its versions are read from."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from graphjobs.core import langgraph_json
from graphjobs.packages import resolution, uv
from graphjobs.packages.install import install_project
from graphjobs.packages.needed import EXTRAS, needed, unmet
from graphjobs.packages.project import (
    ProjectPackages,
    ProjectPackagesInvalid,
    is_package,
    is_static,
    project_packages,
)
from graphjobs.packages.resolution import PackagesConflict, merged, pins, resolve, version
from graphjobs.packages.uv import Files, Platform, UvError
from tests.support.projects import PYPROJECT, write_project

LOCK = """\
# a comment
humanize==4.12.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.4.0 ; python_full_version < '3.12' \\
    --hash=sha256:cc
numpy==2.5.0 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
"""


def packages(path: Path) -> ProjectPackages:
    return project_packages(langgraph_json.read(path))


def test_folders_files_and_requirements_each_become_what_they_are(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "plain/requirements.txt": "a\n",
        "tools/pyproject.toml": "[tool.ruff]\nline-length = 100\n",
        "old/setup.py": "",
        "poetry/pyproject.toml": "[tool.poetry]\nname = 'x'\n",
        "more.txt": "b\n",
        "file/pyproject.toml": PYPROJECT,
        "c-1-py3-none-any.whl": "",
    }
    dependencies = ["humanize>=4", ".", "./plain", "./tools", "./old", "./poetry", "./more.txt"]
    dependencies += ["./file/pyproject.toml", "./c-1-py3-none-any.whl"]
    root = write_project(tmp_path, files, dependencies=dependencies).parent
    assert packages(root / "langgraph.json") == ProjectPackages(
        root,
        packages=(root, root / "old", root / "poetry", root / "file"),
        folders=(root / "plain", root / "tools"),
        requirement_files=(root / "plain/requirements.txt", root / "more.txt"),
        requirements=("humanize>=4", str(root / "c-1-py3-none-any.whl")),
    )


@pytest.mark.parametrize(
    ("manifest", "read"),
    [
        ("", True),
        ("[tool.ruff]\n", True),
        (PYPROJECT, True),
        (PYPROJECT + "dependencies = []\n", False),
        (PYPROJECT + "dynamic = ['dependencies']\n", False),
        ("[tool.poetry]\nname = 'x'\n", False),
    ],
)
def test_a_requirements_file_counts_where_the_manifest_names_none(tmp_path: Path, manifest: str, read: bool) -> None:
    path = write_project(tmp_path, {"pyproject.toml": manifest, "requirements.txt": "a\n"})
    assert bool(packages(path).requirement_files) == read


@pytest.mark.parametrize(
    ("manifest", "package", "static"),
    [
        ("", False, False),
        ("[tool.ruff]\n", False, False),
        (PYPROJECT, True, True),
        ("[project]\nname = 'mine'\ndynamic = ['version']\n", True, False),
        (PYPROJECT + "dynamic = ['readme']\n", True, True),
        ("[build-system]\nrequires = ['setuptools']\n", True, False),
        ("[tool.poetry]\nname = 'x'\n", True, False),
    ],
)
def test_what_a_manifest_says_of_a_folder(tmp_path: Path, manifest: str, package: bool, static: bool) -> None:
    (tmp_path / "pyproject.toml").write_text(manifest)
    assert (is_package(tmp_path), is_static(tmp_path)) == (package, static)


def test_a_manifest_that_is_not_toml_is_named(tmp_path: Path) -> None:
    path = write_project(tmp_path, {"pyproject.toml": "[project"})
    with pytest.raises(ProjectPackagesInvalid, match=r"pyproject\.toml is not TOML"):
        packages(path)


def test_every_requirement_of_a_lock_is_read_with_its_hashes_and_markers() -> None:
    found = pins(LOCK)
    assert set(found) == {"humanize", "numpy"}
    assert found["humanize"][0].count("--hash") == 2
    assert [version(pin) for pin in found["numpy"]] == ["numpy==2.4.0", "numpy==2.5.0"]


def test_the_first_of_two_locks_wins_package_by_package() -> None:
    both = pins(merged("Humanize==4.0.0\n", LOCK))
    assert both["humanize"] == ("Humanize==4.0.0",)
    assert len(both["numpy"]) == 2


def test_what_is_needed_is_what_the_manifest_of_graphjobs_says() -> None:
    manifest = tomllib.loads((Path(uv.__file__).parents[3] / "pyproject.toml").read_text())
    extra = manifest["project"]["optional-dependencies"]["worker"]
    assert {str(Requirement(text)) for text in needed("worker")} == {str(Requirement(text)) for text in extra}
    group = manifest["dependency-groups"]["worker"]
    assert group == extra, "what is locked for the worker is what it needs"


class Uv:
    """uv's answers by what is asked: a text, or the error that it ends with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
        self.asked: list[tuple[list[str], bool]] = []
        self._answer = answer
        monkeypatch.setattr(uv, "compile_pins", self)

    def __call__(self, files: Files, platform: Platform, *, build: bool, python: str | None = None) -> str:
        lines = files.wanted.read_text().splitlines()
        self.asked.append((lines, build))
        answer = self._answer(lines, build)
        if isinstance(answer, Exception):
            raise answer
        return str(answer)


TARGET = Platform.of_lambda("python3.13", "arm64")


def test_wheels_are_asked_for_first_and_source_is_built_only_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Uv(monkeypatch, lambda lines, build: "wikipedia==1.4.0\n" if build else UvError("no usable wheels"))
    found = resolve(ProjectPackages(Path("/project"), requirements=("wikipedia",)), ["orjson"], TARGET)
    assert [build for _, build in asked.asked] == [False, True]
    assert found.builds
    assert found.text == "wikipedia==1.4.0\n"


def test_the_hashes_of_the_lock_stand_for_the_versions_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    Uv(monkeypatch, lambda lines, build: "humanize==4.12.1 \\\n    --hash=sha256:today\nnumpy==2.6.0\n")
    found = resolve(ProjectPackages(Path("/project")), [], TARGET, preferred=LOCK)
    assert "--hash=sha256:aa" in found.pins["humanize"]
    assert "today" not in found.pins["humanize"]
    assert found.pins["numpy"] == "numpy==2.6.0"


def test_who_wants_what_is_said_where_graphjobs_and_the_project_contradict_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(lines: list[str], build: bool) -> str | Exception:
        if "langgraph>=1.2.22" in lines:
            return UvError("a long explanation")
        return "langgraph==1.1.6\norjson==3.11.0\n"

    Uv(monkeypatch, answer)
    project = ProjectPackages(Path("/project"), requirements=("langgraph==1.1.6",))
    with pytest.raises(PackagesConflict) as refusal:
        resolve(project, ["langgraph>=1.2.22", "orjson>=3.10"], TARGET)
    assert str(refusal.value) == "graphjobs needs langgraph>=1.2.22, the project wants langgraph 1.1.6."


def test_a_project_that_contradicts_itself_is_explained_by_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    Uv(monkeypatch, lambda lines, build: UvError("because a<1 and a>1" if len(lines) == 2 else "all of it"))
    with pytest.raises(UvError, match="because a<1 and a>1"):
        resolve(ProjectPackages(Path("/project"), requirements=("a<1", "a>1")), ["orjson"], TARGET)


def test_local_packages_and_what_is_left_out_are_told_from_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shared lib").mkdir()
    shared = (tmp_path / "shared lib").as_uri()
    text = f"-e {tmp_path}\nshared @ {shared}\nlanggraph-cli @ file:///x/langgraph_cli-0-py3-none-any.whl\n"
    Uv(monkeypatch, lambda lines, build: text + "git @ git+https://example.com/x@abc\n")
    found = resolve(ProjectPackages(tmp_path), [], TARGET)
    assert found == resolution.Resolution(
        {"git": "git @ git+https://example.com/x@abc"}, (tmp_path, tmp_path / "shared lib"), ("langgraph-cli",)
    )


def test_an_installation_prefers_the_projects_lock_but_for_what_graphjobs_itself_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(tmp_path, {"requirements.txt": "humanize\n", "uv.lock": ""})
    monkeypatch.setattr(uv, "freeze", lambda python: "humanize==4.0.0\nlanggraph==1.2.22\nmoto==5.1.0\nhttpx==0.28.0\n")
    monkeypatch.setattr(uv, "export", lambda root: "humanize==4.12.1\nlanggraph==1.0.0\nhttpx==0.27.0\nnumpy==2.4.0\n")
    chosen: list[str] = []

    def compile_pins(files: Files, platform: Platform, **_: Any) -> str:
        chosen.append(files.chosen.read_text())
        return ""

    monkeypatch.setattr(uv, "compile_pins", compile_pins)
    install_project(path, lambda line: None)
    assert sorted(chosen[0].split()) == [
        "httpx==0.27.0",
        "humanize==4.12.1",
        "langgraph==1.2.22",
        "moto==5.1.0",
        "numpy==2.4.0",
    ]


def distributions(folder: Path, **versions: str) -> None:
    """Packages of these versions, as far as anybody asks: what comes first on the path is what is there."""
    for name, number in versions.items():
        (folder / f"{name}-{number}.dist-info").mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        (folder / f"{name}-{number}.dist-info" / "METADATA").write_text(text)


def test_an_environment_is_told_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert unmet(*EXTRAS) == []
    distributions(tmp_path, langgraph="1.1.6", orjson="3.99")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert unmet(*EXTRAS) == ["langgraph <1.3,>=1.2.22, and there is 1.1.6"]


def test_a_start_with_an_old_langgraph_is_one_line(tmp_path: Path) -> None:
    """Given an environment with langgraph 1.1.6, when the instance is started, then it says what is needed and ends."""
    distributions(tmp_path, langgraph="1.1.6")
    path = write_project(tmp_path / "mine", {})
    command = [sys.executable, "-m", "graphjobs.cli.main", "local", "--until-eof", "--config", str(path)]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environ, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line == (
        "graphjobs needs in this environment langgraph <1.3,>=1.2.22, and there is 1.1.6. "
        f"graphjobs install {path} finds versions that serve the project too."
    )
