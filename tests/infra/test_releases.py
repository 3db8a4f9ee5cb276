"""Going back to an earlier release: every function at once, or nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.config import Config
from infra.release import graph_digest, release_of
from infra.releases import RollbackError, deployed, main, move, prune, target


class Account:
    """CloudFormation and Lambda of a stack of two functions, as far as they are asked."""

    def __init__(self) -> None:
        self.versions: dict[str, list[dict[str, Any]]] = {"api": [], "worker": []}
        self.live: dict[str, str] = {}

    def deploy(self, release: str, at: str, *functions: str) -> None:
        """Publish a version of each function (of all by default) and make it live."""
        for name in functions or tuple(self.versions):
            number = str(1 + len(self.versions[name]))
            self.versions[name].append(
                {
                    "Version": number,
                    "LastModified": at,
                    "Environment": {"Variables": {"GRAPHJOBS_RELEASE": release}},
                }
            )
            self.live[name] = number

    def get_paginator(self, operation: str) -> Account.Pages:
        return Account.Pages(self, operation)

    class Pages:
        def __init__(self, account: Account, operation: str) -> None:
            self.account, self.operation = account, operation

        def paginate(self, **given: str) -> Any:
            if self.operation == "list_stack_resources":
                assert given == {"StackName": "graphjobs-dev"}
                for name in self.account.versions:
                    arn = f"arn:aws:lambda:eu-west-1:1:function:{name}:live"
                    yield {
                        "StackResourceSummaries": [
                            {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": name},
                            {"ResourceType": "AWS::Lambda::Alias", "PhysicalResourceId": arn},
                        ]
                    }
                return
            assert self.operation == "list_versions_by_function"
            latest = {"Version": "$LATEST", "LastModified": "9", "Environment": {"Variables": {}}}
            yield {"Versions": [latest]}
            yield {"Versions": self.account.versions[given["FunctionName"]]}

    def get_alias(self, FunctionName: str, Name: str) -> dict[str, str]:
        assert Name == "live"
        return {"FunctionVersion": self.live[FunctionName]}

    def update_alias(self, FunctionName: str, Name: str, FunctionVersion: str) -> None:
        assert Name == "live"
        self.live[FunctionName] = FunctionVersion

    def delete_function(self, FunctionName: str, Qualifier: str) -> None:
        self.versions[FunctionName] = [made for made in self.versions[FunctionName] if made["Version"] != Qualifier]


@pytest.fixture
def account() -> Account:
    """Three releases, the newest of them live."""
    made = Account()
    for number in (1, 2, 3):
        made.deploy(f"release{number}", f"2026-11-2{number}T00:00:00.000+0000")
    return made


def back(account: Account, wanted: str | None = None) -> None:
    found = deployed("graphjobs-dev", account, account)
    move(found, target(found, wanted), account)


def test_back_is_to_the_release_before_that_which_is_live(account: Account) -> None:
    back(account)
    assert account.live == {"api": "2", "worker": "2"}
    back(account)
    assert account.live == {"api": "1", "worker": "1"}
    with pytest.raises(RollbackError, match="no release before"):
        back(account)


def test_any_release_can_be_named_a_newer_one_too(account: Account) -> None:
    back(account, "release1")
    back(account, "release3")
    assert account.live == {"api": "3", "worker": "3"}
    with pytest.raises(RollbackError, match="no release releaseX"):
        back(account, "releaseX")


def test_a_release_that_a_function_has_no_version_of_is_refused_and_nothing_moves(account: Account) -> None:
    account.deploy("half", "2026-11-24T00:00:00.000+0000", "api")
    with pytest.raises(RollbackError, match="half has no version of worker"):
        back(account, "half")
    assert account.live == {"api": "4", "worker": "3"}


def test_where_no_release_is_whole_live_one_must_be_named(account: Account) -> None:
    account.deploy("half", "2026-11-24T00:00:00.000+0000", "api")
    with pytest.raises(RollbackError, match="--to"):
        back(account)
    back(account, "release3")
    assert account.live == {"api": "3", "worker": "3"}


def test_old_versions_go_but_never_one_that_is_live(account: Account) -> None:
    back(account, "release1")
    assert prune(deployed("graphjobs-dev", account, account), 1, account) == 2
    left = {name: [made["Version"] for made in versions] for name, versions in account.versions.items()}
    assert left == {"api": ["1", "3"], "worker": ["1", "3"]}


def test_the_command_lists_goes_back_and_says_why_not(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("infra.releases.boto3.client", lambda service: account)
    assert main(["graphjobs-dev", "--back"]) == 0
    assert main(["graphjobs-dev"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Live: release2"
    assert [line.split()[0] for line in lines[1:]] == ["release3", "release2", "release1"]
    assert [line.endswith("live") for line in lines[1:]] == [False, True, False]
    assert main(["graphjobs-dev", "--to", "nothing"]) == 1
    assert "nothing" in capsys.readouterr().err


def test_a_release_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    first, second = tmp_path / "one" / "worker", tmp_path / "two" / "worker"
    for folder in (first, second):
        folder.mkdir(parents=True)
        (folder / "a.py").write_text("a = 1")
    name = release_of(Config(), [first])
    assert release_of(Config(), [second]) == name
    (second / "a.py").write_text("a = 2")
    assert release_of(Config(), [second]) != name
    assert release_of(Config(throttle_rate=1), [first]) != name


def test_the_digest_of_the_graphs_is_of_the_project_and_its_packages_and_not_of_our_own_code(tmp_path: Path) -> None:
    for name in ("project/agent.py", "langgraph/__init__.py", "six.py", "graphjobs/worker.py", "graphjobs_function.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    digest = graph_digest(tmp_path)
    assert digest == graph_digest(tmp_path) and len(digest) == 12

    def changed(name: str) -> str:
        (tmp_path / name).write_text("2")
        after = graph_digest(tmp_path)
        (tmp_path / name).write_text("1")
        return after

    assert all(changed(name) != digest for name in ("project/agent.py", "langgraph/__init__.py", "six.py"))
    assert all(changed(name) == digest for name in ("graphjobs/worker.py", "graphjobs_function.py"))
