"""A LangGraph project of the user's own: what of it is deployed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.graph_project import GraphProjectError, graph_project
from infra.project_files import import_roots
from tests.support.projects import PYPROJECT, write_project, write_wheel


def deployed(path: Path, target: Path, **options: bool) -> set[str]:
    """The files of the bundle at `target` into which the project at `path` is copied, relative to ``project/``."""
    graph_project(path.parent, path.name, **options).copy_into(target)
    return {str(item.relative_to(target / "project")) for item in target.rglob("*") if item.is_file()}


def test_what_tools_leave_is_left_out_at_the_top_alone_and_said(tmp_path: Path) -> None:
    files = {
        "agent.py": "",
        "build/old.py": "",
        "dist/mine.whl": "",
        "agent/build/steps.py": "",
        "agent/tests/cases.py": "",
        "agent/node_modules/x.js": "",
        ".git/config": "",
        "my-env/pyvenv.cfg": "",
        "my-env/bin/python": "",
    }
    path = write_project(tmp_path / "mine", files)
    project = graph_project(path.parent, path.name)
    left_out = project.copy_into(tmp_path / "bundle")
    assert left_out == [".git", "agent/node_modules", "build", "dist", "my-env"]
    found = {str(item.relative_to(tmp_path / "bundle/project")) for item in (tmp_path / "bundle").rglob("*.py")}
    assert found == {"agent.py", "agent/build/steps.py", "agent/tests/cases.py"}


def test_the_dotenv_file_stays_here_unless_it_is_asked_for(tmp_path: Path) -> None:
    path = write_project(tmp_path / "mine", {".env": "KEY=secret", ".env.production": "KEY=other"}, env="./.env")
    assert ".env" not in deployed(path, tmp_path / "without")
    assert "env" not in json.loads((tmp_path / "without/project/langgraph.json").read_text())
    assert deployed(path, tmp_path / "asked", deploy_env_file=True) == {".env", "langgraph.json"}
    assert json.loads((tmp_path / "asked/project/langgraph.json").read_text())["env"] == "./.env"


def test_folders_outside_lie_in_the_bundle_as_they_lie_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "repo/libs/shared").mkdir(parents=True)
    (tmp_path / "repo/libs/shared/words.py").write_text("")
    (tmp_path / "repo/other").mkdir()
    (tmp_path / "repo/other/graph.py").write_text("")
    (tmp_path / "repo/unrelated.py").write_text("")
    path = write_project(
        tmp_path / "repo/apps/agent",
        {"agent.py": ""},
        dependencies=[".", "../../libs/shared"],
        graphs={"mine": "./agent.py:builder", "far": "../../other/graph.py:graph"},
    )
    found = deployed(path, tmp_path / "bundle")
    assert found == {
        "apps/agent/agent.py",
        "apps/agent/langgraph.json",
        "libs/shared/words.py",
        "other/graph.py",
    }
    assert graph_project(path.parent, path.name).deployed_path == "project/apps/agent/langgraph.json"
    deployed_file = json.loads((tmp_path / "bundle/project/apps/agent/langgraph.json").read_text())
    assert deployed_file["dependencies"] == ["./.", "./../../libs/shared"]


@pytest.mark.parametrize(
    ("source", "built", "roots"),
    [
        ({"mine/a.py": "1", "mine/b.py": "2"}, {"mine/a.py": "1", "mine/b.py": "2"}, [""]),
        ({"src/mine/a.py": "1"}, {"mine/a.py": "1"}, ["src"]),
        ({"lib/python/mine/a.py": "1"}, {"mine/a.py": "1"}, ["lib/python"]),
        ({"src/one/a.py": "1", "lib/two/b.py": "2"}, {"one/a.py": "1", "two/b.py": "2"}, ["lib", "src"]),
        ({"src/mine/a.py": "1"}, {"mine/a.py": "1", "mine/version.py": "made by the build"}, None),
        ({"src/mine/a.py": "1"}, {"mine/a.py": "1", "mine/fast.so": ""}, None),
        ({"src/mine/a.py": "changed by the build"}, {"mine/a.py": "1"}, None),
        ({}, {}, []),
    ],
)
def test_where_the_modules_of_a_package_are_imported_from(
    tmp_path: Path, source: dict[str, str], built: dict[str, str], roots: list[str] | None
) -> None:
    for name, text in source.items():
        (tmp_path / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "package" / name).write_text(text)
    wheel = write_wheel(tmp_path, "mine", built)
    found = import_roots(tmp_path / "package", wheel)
    assert (found if found is None else sorted(found)) == (
        roots if roots is None else [tmp_path / "package" / root for root in roots]
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is not JSON"),
        ("[]", "cannot be used"),
        ("{}", "cannot be used"),
        ('{"graphs": {}}', "names at least one graph"),
        ('{"graphs": {"a,b": "./a.py:g"}}', "no comma"),
        ('{"graphs": {"a": "./a.py:g"}, "dependencies": ["./missing"]}', "the dependency './missing' is not there"),
        ('{"graphs": {"a": "./a.py:g"}, "source": {"kind": "pixi"}}', "the kind 'pixi' is not known"),
        ('{"graphs": {"a": "./a.py:g"}, "source": {"kind": "uv"}}', "has no pyproject.toml of a package"),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_the_name_of_its_key(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "langgraph.json").write_text(content)
    with pytest.raises(GraphProjectError, match=message) as refusal:
        graph_project(tmp_path, "langgraph.json")
    assert str(refusal.value).startswith("graphs: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphProjectError, match="cannot be read"):
        graph_project(tmp_path, "nowhere/langgraph.json")


def test_a_project_may_name_the_aws_services_that_it_calls(tmp_path: Path) -> None:
    path = write_project(tmp_path / "mine", {"pyproject.toml": f"{PYPROJECT}[tool.graphjobs]\naws_services = ['s3']\n"})
    assert graph_project(path.parent, path.name).services == ("s3",)
    path = write_project(tmp_path / "other", {"pyproject.toml": PYPROJECT})
    assert graph_project(path.parent, path.name).services is None
    path = write_project(tmp_path / "bad", {"pyproject.toml": f"{PYPROJECT}[tool.graphjobs]\naws_services = 's3'\n"})
    with pytest.raises(GraphProjectError, match="must be a list"):
        graph_project(path.parent, path.name)
