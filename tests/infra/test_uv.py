"""uv is found wherever the documented commands have put it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphjobs.packages import uv


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without uv."""
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(uv, "OF_MAKE", tmp_path / ".tools" / "bin" / "uv")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)
    return str(path)


def test_where_make_has_installed_it_cdk_deploy_finds_it() -> None:
    """`source .venv/bin/activate; npx cdk deploy`: uv is neither in .venv nor on the PATH."""
    installed = put(uv.OF_MAKE)
    assert uv.command() == [installed]


def test_the_one_that_runs_us_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(uv.OF_MAKE)
    monkeypatch.setenv("UV", put(tmp_path / "elsewhere" / "uv"))
    assert uv.command() == [str(tmp_path / "elsewhere" / "uv")]


def test_a_machine_without_it_is_told_what_to_do() -> None:
    with pytest.raises(uv.UvError, match="make install"):
        uv.command()


def test_make_and_the_app_mean_the_same_place() -> None:
    makefile = Path(uv.__file__).resolve().parents[3] / "Makefile"
    assert "echo .tools/bin/uv" in makefile.read_text(encoding="utf-8")
