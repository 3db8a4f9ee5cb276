"""The documents are true of the code: tables, names, links and commands are checked against their sources.

What needs AWS CDK to import is read as source text instead, which keeps these tests quick.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
from argparse import ArgumentParser, _SubParsersAction
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from deploy import measured
from graphjobs.admin.arguments import admin_parser, logs_parser
from graphjobs.cli.arguments import argument_parser
from graphjobs.core.event import CUSTOM, OWN_TYPES
from graphjobs.core.outcome import MESSAGES
from graphjobs.core.settings import Settings
from graphjobs.observability import Metric
from infra.config import Config

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("src", "functions", "examples", "infra")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
DEPLOY = (ROOT / "docs" / "DEPLOY.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
OF_OPERATORS = {"admin": admin_parser, "logs": logs_parser}
"""Commands with a grammar of their own."""


def table_after(text: str, marker: str) -> dict[str, list[str]]:
    """The rows of the first table after `marker`, by the name in backticks in their first cell."""
    assert marker in text
    lines = text[text.index(marker) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        first, *rest = (cell.strip() for cell in line.strip("|").split("|"))
        name = re.search(r"`([^`]+)`", first)
        assert name, line
        assert name[1] not in rows, f"{name[1]} is there twice"
        rows[name[1]] = rest
    return rows


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def source_tree(path: str) -> ast.Module:
    """The syntax tree of a module of ours."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def dict_keys(tree: ast.Module, found: ast.AST | None = None) -> set[str]:
    """The text keys of the largest dict display in `tree`."""
    dicts = [node for node in ast.walk(found or tree) if isinstance(node, ast.Dict)]
    keys = max(dicts, key=lambda node: len(node.keys)).keys
    return {key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def default_of(value: Any) -> str:
    """How a default is written in a table."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = ",".join(value) if isinstance(value, tuple) else str(value)
    return f"`{text}`" if text else ""


def test_the_readme_lists_every_setting_with_its_default() -> None:
    rows = table_after(README, "<!-- settings:")
    written = {name: cells[0] for name, cells in rows.items()}
    assert written == {f"GRAPHJOBS_{spec.name.upper()}": default_of(spec.default) for spec in fields(Settings)}


def test_the_readme_lists_every_variable_that_the_source_reads() -> None:
    listed = set(table_after(README, "<!-- settings:")) | set(table_after(README, "<!-- other variables:"))
    read = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            read |= set(re.findall(r"GRAPHJOBS_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert read <= listed
    settings = {f"GRAPHJOBS_{spec.name.upper()}" for spec in fields(Settings)}
    assert listed - settings <= read


def test_the_readme_knows_every_event_type_of_ours() -> None:
    section = README[README.index("| type | data | |") :].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == OWN_TYPES | {CUSTOM, "progress"}


def test_the_readme_knows_every_way_to_fail() -> None:
    sentence = README[README.index("A failed job has one of these codes:") :].split(". ")[0]
    assert set(re.findall(r"`(\w+)`", sentence)) == set(MESSAGES)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:tests|benchmarks|compat|docs|examples|functions|src|infra|deploy)/[\w/.-]*)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve() if path else document
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found.read_text(encoding="utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "adr"
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert re.findall(r"\]\((0[^)]+)\)", (folder / "README.md").read_text(encoding="utf-8")) == records


def test_deploy_lists_every_key_with_its_default() -> None:
    rows = table_after(DEPLOY, "<!-- config keys:")
    assert list(rows) == [spec.name for spec in fields(Config)]
    # A default that depends on something.
    in_words = {
        "region",
        "bedrock_resources",
        "worker_max_concurrency",
        "stream_reserved_concurrency",
        "log_graph_errors",
        "account_concurrency",
        "canary",
    }
    for spec in fields(Config):
        assert spec.default is not MISSING
        if spec.name not in in_words:
            expected = "" if spec.default == 0 and "concurrency" in spec.name else default_of(spec.default)
            assert rows[spec.name][0] == expected, spec.name


def test_deploy_lists_every_output_of_the_stack() -> None:
    tree = source_tree("infra/stack.py")
    outputs: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            (target,) = node.targets
            if isinstance(target, ast.Name) and target.id == "outputs":
                outputs |= dict_keys(tree, node)
            if (
                isinstance(target, ast.Subscript)
                and isinstance(target.value, ast.Name)
                and target.value.id == "outputs"
            ):
                assert isinstance(target.slice, ast.Constant)
                outputs.add(str(target.slice.value))
    section = DEPLOY[DEPLOY.index("| output |") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", section)) == outputs
    used = set(re.findall(r"\$\(out (\w+)\)", README + OPERATIONS))
    assert used <= outputs


def test_deploy_lists_every_wildcard_of_a_role() -> None:
    tree = source_tree("infra/permissions.py")
    (wildcards,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "WILDCARDS"
    )
    assert set(table_after(DEPLOY, "<!-- wildcards:")) == dict_keys(tree, wildcards)


def test_what_only_an_account_proves_is_run_by_smoke_or_left_to_a_person_for_a_reason() -> None:
    """Each row names a test of `make smoke`, and each test of what is in front of the stream has a row; or why not."""
    section = DEPLOY[DEPLOY.index("<!-- only in an account:") :].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    run = set()
    for row in rows:
        by = re.split(r"(?<!\\)\|", row.rstrip("| "))[-1].strip()
        smoke, hand = re.fullmatch(r"smoke: `([\w.]+)::(\w+)`", by), re.fullmatch(r"hand: .{8,}", by)
        assert smoke or hand, row
        if smoke and smoke[1] == "measured.py":
            assert hasattr(measured, smoke[2]), row
        elif smoke:
            source = (ROOT / "tests" / "e2e" / smoke[1]).read_text(encoding="utf-8")
            assert f"def {smoke[2]}(" in source, row
            run.add(smoke[2])
    front = (ROOT / "tests" / "e2e" / "test_front.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^def (test_\w+)", front, re.MULTILINE)) <= run


def test_operations_says_of_every_alarm_what_to_do() -> None:
    alarms = dict_keys(source_tree("infra/alarms.py"))
    assert "DeadLetters" in alarms
    assert set(table_after(OPERATIONS, "<!-- alarms:")) == alarms
    paragraphs = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", OPERATIONS, re.MULTILINE | re.DOTALL))
    assert set(paragraphs) == alarms
    # They are run in the emulated deployment: tests/deployed/test_on_call.py.
    assert [name for name, text in paragraphs.items() if not blocks(text, "sh")] == []


def test_operations_lists_every_saved_query_and_every_metric() -> None:
    section = OPERATIONS[OPERATIONS.index("## Saved queries") : OPERATIONS.index("## Look at a job")]
    assert set(table_after(section, "| query |")) == dict_keys(source_tree("infra/dashboard.py"))
    assert set(re.findall(r"`([A-Z]\w+)`", section)) == {metric.value for metric in Metric}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_block_of_code_can_be_read(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for block in blocks(text, "json"):
        json.loads(block)
    for block in blocks(text, "python"):
        compile(block, str(document), "exec")
    for block in blocks(text, "sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_every_command_of_an_operator_is_one() -> None:
    lines = [line for block in blocks(OPERATIONS, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("admin ")]
    verbs = set(verbs_of(admin_parser()))
    assert {admin_parser().parse_args(command).verb for command in commands} == verbs
    assert set(re.findall(r"`admin (\w+)", OPERATIONS)) <= verbs


def verbs_of(parser: ArgumentParser) -> list[str]:
    """The commands of a parser."""
    (verbs,) = (action.choices for action in parser._actions if isinstance(action, _SubParsersAction))
    return list(verbs)


def test_every_command_of_the_readme_is_one() -> None:
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith(".venv/bin/graphjobs ")]
    for command in commands:
        if command[0] in OF_OPERATORS:
            OF_OPERATORS[command[0]]().parse_args(command[1:])
    verbs = {
        argument_parser().parse_args(command).verb for command in commands if command[0] not in {"local", *OF_OPERATORS}
    }
    assert verbs == {
        "submit",
        "status",
        "list",
        "stream",
        "cancel",
        "delete",
        "revoke",
        "answer",
        "token",
        "thread",
        "history",
        "update",
        "delete-thread",
    }
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {target for line in lines for target in re.findall(r"^make ([a-z]+)", line)} <= targets
