"""What is slow to load is loaded by the process that needs it, not by each that collects the tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOW = {"aws_cdk", "cdk_nag", "constructs", "cfnlint"}


def loaded(path: Path) -> Iterator[str]:
    """The modules that a file names in the imports at its top."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def is_slow(module: str) -> bool:
    """Whether it is one of `SLOW`, or a module of `infra` that loads one."""
    path = ROOT / (module.replace(".", "/") + ".py")
    ours = module.startswith("infra.") and path.is_file()
    return module.partition(".")[0] in SLOW or (ours and any(map(is_slow, loaded(path))))


def test_no_test_loads_cdk_or_cfn_lint_when_it_is_collected() -> None:
    paths = [path for folder in ("tests", "deploy") for path in sorted((ROOT / folder).rglob("*.py"))]
    assert {path: slow for path in paths if (slow := sorted(filter(is_slow, loaded(path))))} == {}
    assert is_slow("infra.app") and is_slow("infra.statements") and not is_slow("infra.permissions")
