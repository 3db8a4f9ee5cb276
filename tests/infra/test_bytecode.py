"""Bytecode: by whom it is made, and what a deployment says where nobody can make it."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from graphjobs.packages import uv
from graphjobs.packages.uv import Platform
from infra import bytecode
from infra.bundling import Bundler
from infra.bytecode import Interpreter, interpreter
from infra.graph_project import DEFAULT, graph_project
from infra.installed import ROOT

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
MAGIC = importlib.util.MAGIC_NUMBER.hex()


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which uv has no Python and cannot get one, and pyenv has none."""
    monkeypatch.setattr(uv, "find_python", lambda version: None)
    monkeypatch.setattr(uv, "install_python", lambda version: False)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))


def python(path: Path, says: str) -> str:
    """An executable that answers like a Python, whatever it is asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return str(path)


def test_the_interpreter_that_runs_the_deployment_serves_its_own_version() -> None:
    assert interpreter(HERE) == Interpreter(sys.executable, MAGIC)


def test_another_version_is_looked_for_with_uv_then_pyenv_then_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert interpreter("3.99") is None
    on_path = python(tmp_path / "bin" / "python3.99", "echo 3.99 03")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    assert interpreter("3.99") == Interpreter(on_path, "03")
    pyenv = python(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python3.99", "echo 3.99 02")
    assert interpreter("3.99") == Interpreter(pyenv, "02")
    of_uv = python(tmp_path / "uv" / "python3.99", "echo 3.99 01")
    monkeypatch.setattr(uv, "find_python", lambda version: of_uv)
    assert interpreter("3.99") == Interpreter(of_uv, "01")


@pytest.mark.parametrize("says", ["echo 3.12 cb0d0d0a", "exit 127", "echo nonsense", "echo 3.99 03; exit 1"])
def test_a_shim_without_that_python_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    python(tmp_path / "bin" / "python3.99", says)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin:/usr/bin")
    assert interpreter("3.99") is None


def test_where_there_is_none_uv_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[str] = []

    def install(version: str) -> bool:
        found.append(python(tmp_path / f"python{version}", f"echo {version} 05"))
        return True

    monkeypatch.setattr(uv, "install_python", install)
    monkeypatch.setattr(uv, "find_python", lambda version: found[0] if found else None)
    assert interpreter("3.99") == Interpreter(str(tmp_path / "python3.99"), "05")


@pytest.mark.bundles
def test_without_one_the_deployment_says_so_in_one_line_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.bundling.interpreter", lambda version: None)
    project = graph_project(ROOT, DEFAULT)
    bundle = Bundler(Platform.of_host(), project, build=tmp_path).bundle("reconcile")
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert f"no Python {HERE}" in said[0]
    assert (bundle.folder / "graphjobs_function.py").exists()
    assert not list(bundle.folder.rglob("*.pyc"))


def test_two_compilations_of_equal_sources_are_equal_whatever_the_folder(tmp_path: Path) -> None:
    for name in ("one", "elsewhere/two"):
        shutil.copytree(ROOT / "src" / "graphjobs" / "core", tmp_path / name, ignore=shutil.ignore_patterns("*.pyc"))
        Interpreter(sys.executable, MAGIC).compile(tmp_path / name)
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*.pyc")} for name in ("one", "elsewhere/two")
    ]
    assert contents[0] == contents[1] != {}
    assert not [name for name, content in contents[0].items() if str(tmp_path).encode() in content]


def test_a_file_that_is_no_python_of_this_version_does_not_end_the_deployment(tmp_path: Path) -> None:
    (tmp_path / "template.py").write_text("print 'of another age'\n")
    (tmp_path / "module.py").write_text("X = 1\n")
    Interpreter(sys.executable, MAGIC).compile(tmp_path)
    assert [path.name.partition(".")[0] for path in tmp_path.rglob("*.pyc")] == ["module"]


def test_an_interpreter_that_fails_does(tmp_path: Path) -> None:
    with pytest.raises(bytecode.BytecodeError, match="out of order"):
        Interpreter(python(tmp_path / "python", "echo out of order >&2; exit 1"), "00").compile(tmp_path)


def test_what_was_compiled_before_is_taken_if_it_is_the_same_module(tmp_path: Path) -> None:
    """Else a module would run as what another one of its name had been."""
    here, (old, new) = interpreter(HERE), (tmp_path / "old", tmp_path / "new")
    assert here is not None
    texts = {"same.py": "A = 1", "other.py": "A = 1", "of_another_python.py": "A = 1", "package/same.py": "A = 1"}
    for folder, changed in ((old, {"other.py": "A = 2"}), (new, {"fresh.py": "A = 1"})):
        for name, text in (texts | changed).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    here.compile(old)
    compiled(old / "of_another_python.py").write_bytes(b"\0\0\0\0")
    here.compile(new, earlier=[tmp_path / "absent", old])
    taken = {name for name in texts if compiled(old / name).samefile(compiled(new / name))}
    assert taken == {"same.py", "package/same.py"}
    whole = tmp_path / "whole"
    shutil.copytree(new, whole, ignore=shutil.ignore_patterns("__pycache__"))
    here.compile(whole)
    for name in (*texts, "fresh.py"):
        assert compiled(new / name).read_bytes() == compiled(whole / name).read_bytes(), name
    again = tmp_path / "again"
    shutil.copytree(new, again, ignore=shutil.ignore_patterns("__pycache__"))
    Interpreter("no-such-python", here.magic).compile(again, earlier=[whole])  # nothing is left for it
    assert compiled(again / "fresh.py").samefile(compiled(whole / "fresh.py"))


def compiled(module: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(module)))
