"""What a langgraph.json says: one reader for the worker, `graphjobs local` and the deployment."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from graphjobs.core.langgraph_json import LangGraphJson, LangGraphJsonInvalid, read
from graphjobs.local.command import add_arguments, notices, plan
from infra.graph_project import graph_project


def written(folder: Path, content: Any) -> Path:
    path = folder / "langgraph.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def parsed(folder: Path, **members: Any) -> LangGraphJson:
    return read(written(folder, {"graphs": {"g": "./agent.py:graph"}, **members}))


def test_the_first_graph_of_the_file_is_the_default_everywhere(tmp_path: Path) -> None:
    path = written(tmp_path, {"graphs": {"zebra": "./z.py:graph", "chat": {"path": "pkg.mod:make"}}})
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    local = plan(parser.parse_args(["--config", str(path), "--api-port", "0", "--stream-port", "0"]))
    assert read(path).names == tuple(local.graphs) == graph_project(tmp_path, path.name).names == ("zebra", "chat")


@pytest.mark.parametrize("form", [str, lambda target: {"path": target, "description": "d"}], ids=["text", "object"])
@pytest.mark.parametrize(
    ("target", "where", "is_file"),
    [
        ("./agent.py:graph", "./agent.py", True),
        ("agent.py:graph", "agent.py", True),
        ("src/agent:graph", "src/agent", True),
        ("package.module:graph", "package.module", False),
        ("C:/work/agent.py:graph", "C:/work/agent.py", True),
    ],
)
def test_a_target_is_a_file_or_a_module(tmp_path: Path, form: Any, target: str, where: str, is_file: bool) -> None:
    (found,) = parsed(tmp_path, graphs={"g": form(target)}).graphs
    assert (found.where, found.attribute, found.is_file) == (where, "graph", is_file)


def test_a_graph_of_javascript_is_told(tmp_path: Path) -> None:
    graphs = {"ts": "./agent.ts:graph", "mjs": "./a/b.mjs:graph", "py": "./agent.py:graph"}
    assert [each.is_javascript for each in parsed(tmp_path, graphs=graphs).graphs] == [True, True, False]


def test_what_is_left_out_has_the_default_of_the_langgraph_cli(tmp_path: Path) -> None:
    file = parsed(tmp_path)
    assert file.dependencies == (".",)
    assert (file.env, file.store, file.python_version, file.source, file.unused) == (None, None, None, None, ())
    assert file.root == tmp_path


def test_every_member_that_is_used_is_read(tmp_path: Path) -> None:
    members = {
        "dependencies": ["./lib", "httpx"],
        "env": {"A": 1, "B": "two"},
        "store": {"ttl": {"default_ttl": 5}, "index": {"dims": 5, "embed": "./a.py:embed", "fields": ["text"]}},
        "python_version": 3.12,
        "source": {"kind": "uv"},
        "$schema": "https://example.test/schema.json",
    }
    file = parsed(tmp_path, **members)
    assert file.dependencies == ("./lib", "httpx")
    assert file.env == {"A": "1", "B": "two"}
    assert (file.store, file.python_version, file.source) == (members["store"], "3.12", {"kind": "uv"})
    assert file.unused == ()


def test_keys_that_nothing_reads_are_named(tmp_path: Path) -> None:
    assert parsed(tmp_path, auth={"path": "./auth.py:auth"}, http={}, mispelt=1).unused == ("auth", "http", "mispelt")
    store = {"index": {"embed": "a:b", "dims": 5, "ann": {}}}
    assert parsed(tmp_path, store=store).unused == ("store.index.ann",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not JSON"),
        ("no json", "is not JSON"),
        ([], "it is not an object"),
        ({}, "at least one graph"),
        ({"graphs": {}}, "at least one graph"),
        ({"graphs": []}, "at least one graph"),
        ({"graphs": {"g": 5}}, "'g' must be of the form"),
        ({"graphs": {"g": "no-colon"}}, "'g' must be of the form"),
        ({"graphs": {"g": ":attribute"}}, "'g' must be of the form"),
        ({"graphs": {"g": "./file.py:"}}, "'g' must be of the form"),
        ({"graphs": {"g": {}}}, "'g' must be of the form"),
        ({"graphs": {"a,b": "./a.py:g"}}, "no comma"),
        ({"graphs": {"": "./a.py:g"}}, "1 to 100 characters"),
        ({"graphs": {"x" * 101: "./a.py:g"}}, "1 to 100 characters"),
        ({"graphs": {"g": "./a.py:g"}, "dependencies": None}, "dependencies must be a list"),
        ({"graphs": {"g": "./a.py:g"}, "dependencies": [5]}, "dependencies must be a list"),
        ({"graphs": {"g": "./a.py:g"}, "env": 5}, "env must be a path or an object"),
        ({"graphs": {"g": "./a.py:g"}, "store": "memory"}, "store must be an object"),
        ({"graphs": {"g": "./a.py:g"}, "store": {"index": {"dims": 5}}}, "store.index needs embed"),
        ({"graphs": {"g": "./a.py:g"}, "store": {"index": {"embed": "a:b"}}}, "store.index needs dims"),
        ({"graphs": {"g": "./a.py:g"}, "store": {"index": {"embed": "a:b", "dims": "5"}}}, "store.index needs dims"),
        (
            {"graphs": {"g": "./a.py:g"}, "store": {"index": {"embed": "a:b", "dims": 5, "fields": "text"}}},
            "fields of store.index",
        ),
        ({"graphs": {"g": "./a.py:g"}, "store": {"index": []}}, "index must be an object"),
        ({"graphs": {"g": "./a.py:g"}, "store": {"path": "./s.py:s", "ttl": {}}}, "store.path is not supported"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_with_its_name(tmp_path: Path, content: Any, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(LangGraphJsonInvalid, match=message) as refusal:
        read(path)
    assert str(path) in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LangGraphJsonInvalid, match=r"absent\.json cannot be read"):
        read(tmp_path / "absent.json")


def test_the_start_names_what_is_not_used_and_an_env_file_that_is_not_there(tmp_path: Path) -> None:
    assert notices(parsed(tmp_path)) == []
    (tmp_path / "there.env").write_text("")
    assert notices(parsed(tmp_path, env="there.env", store={"ttl": {"default_ttl": 5}})) == []
    assert notices(parsed(tmp_path, env=".env", auth={}, http={})) == [
        "langgraph.json: not used by graphjobs: auth, http",
        "langgraph.json: the env file .env is not there",
    ]
