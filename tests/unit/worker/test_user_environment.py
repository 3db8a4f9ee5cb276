"""The variables and the working directory of a project, as LangGraph's own server sets them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from graphjobs.aws import clients
from graphjobs.worker.user_environment import enter_project

STARTER = Path(__file__).parents[3] / "examples" / "starter" / "langgraph.json"


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Environment and working directory as before; AWS sessions made anew."""
    environ, folder = dict(os.environ), Path.cwd()
    clients.session.cache_clear()
    yield
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    clients.session.cache_clear()


def project(folder: Path, env: Any, text: str | None = None) -> str:
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"graphs": {"g": "./agent.py:graph"}, "env": env}))
    if text is not None:
        (folder / env).write_text(text, encoding="utf-8")
    return str(path)


FILE = """
# a comment
PLAIN=a
COMMENTED=three # which number
QUOTED="two words" # more
HASH=a#b
ESCAPED="eight\\nnine"
RAW='a\\nb'
MULTI="five
and a half"
REFERS=${PLAIN}-b
DEFAULT=${ABSENT_ONE:-c}
SHELL_ONE=${OF_THE_SHELL}-d
export EXPORTED=e
EQUALS=a=b
EMPTY=
NAME_ALONE
KOREAN=환불
"""
WANTED = {
    "PLAIN": "a",
    "COMMENTED": "three",
    "QUOTED": "two words",
    "HASH": "a#b",
    "ESCAPED": "eight\nnine",
    "RAW": "a\\nb",
    "MULTI": "five\nand a half",
    "REFERS": "a-b",
    "DEFAULT": "c",
    "SHELL_ONE": "shell-d",
    "EXPORTED": "e",
    "EQUALS": "a=b",
    "EMPTY": "",
    "KOREAN": "환불",
}


def test_the_file_is_read_by_the_rules_of_python_dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_SHELL", "shell")
    assert enter_project(project(tmp_path, "settings.env", FILE)) == WANTED
    assert {name: os.environ.get(name) for name in WANTED} == WANTED
    assert "NAME_ALONE" not in os.environ


@pytest.mark.parametrize(("env", "text"), [(".env", "TAKEN=file\n"), ({"TAKEN": "file"}, None)], ids=["file", "object"])
def test_the_file_wins_over_the_shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: Any, text: str | None
) -> None:
    monkeypatch.setenv("TAKEN", "shell")
    enter_project(project(tmp_path, env, text))
    assert os.environ["TAKEN"] == "file"


@pytest.mark.parametrize("env", [None, ".env", {}])
def test_a_project_need_not_have_any(tmp_path: Path, env: Any) -> None:
    before = dict(os.environ)
    assert enter_project(project(tmp_path, env)) == {}
    assert os.environ == before


def test_the_working_directory_is_the_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    project(tmp_path / "inner", None)
    monkeypatch.chdir(tmp_path)
    enter_project("inner/langgraph.json")
    assert Path.cwd() == tmp_path / "inner"


@pytest.mark.parametrize(("given", "model"), [(None, "offline"), ("bedrock_converse:m", "bedrock_converse:m")])
def test_the_built_in_project_names_its_model(monkeypatch: pytest.MonkeyPatch, given: str | None, model: str) -> None:
    monkeypatch.delenv("GRAPHJOBS_MODEL", raising=False)
    if given:
        monkeypatch.setenv("GRAPHJOBS_MODEL", given)
    assert enter_project(str(STARTER))["GRAPHJOBS_MODEL"] == model


OF_THE_PROJECT = "AWS_ACCESS_KEY_ID=theirs\nAWS_SECRET_ACCESS_KEY=theirs\nAWS_DEFAULT_REGION=eu-west-1\n"


def key_of(client: Any) -> str:
    return str(client._request_signer._credentials.access_key)


def test_clients_of_the_graph_see_the_projects_environment_and_ours_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ours")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    ours = clients.dynamodb()
    enter_project(project(tmp_path, ".env", OF_THE_PROJECT))
    theirs = boto3.client("dynamodb")
    assert (key_of(ours), ours.meta.region_name) == ("ours", "us-west-2")
    assert (key_of(theirs), theirs.meta.region_name) == ("theirs", "eu-west-1")


def test_the_emulator_of_graphjobs_local_is_for_our_clients_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(clients.ENDPOINT_VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    enter_project(project(tmp_path, ".env", OF_THE_PROJECT))
    for ours in (clients.dynamodb(), clients.sqs(), clients.s3(), clients.secrets_manager()):
        assert ours.meta.endpoint_url == "http://127.0.0.1:9" and key_of(ours) == "local"
    theirs = boto3.client("dynamodb")
    assert theirs.meta.endpoint_url == "https://dynamodb.eu-west-1.amazonaws.com" and key_of(theirs) == "theirs"
