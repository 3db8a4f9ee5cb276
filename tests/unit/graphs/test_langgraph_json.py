"""`langgraph.json` names the built-in graphs in LangGraph's own format."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3] / "examples" / "starter"
CONFIG = json.loads((ROOT / "langgraph.json").read_text(encoding="utf-8"))


def loaded(reference: str) -> Any:
    """Runs the file under a name of its own, outside `sys.modules`, as a loader by path may."""
    path, attribute = reference.rsplit(":", 1)
    spec = importlib.util.spec_from_file_location("loaded_by_path", ROOT / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, attribute)


def test_the_chat_graph_is_the_default() -> None:
    assert list(CONFIG["graphs"]) == ["chat", "report"]


@pytest.mark.parametrize("name", ["chat", "report"])
def test_a_graph_loads_by_path_and_has_no_checkpointer(name: str) -> None:
    graph = loaded(CONFIG["graphs"][name])
    assert graph.name == name
    assert graph.checkpointer is None
