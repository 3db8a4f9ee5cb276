"""The policy of an operator, as docs/OPERATIONS.md gives it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

OPERATIONS = Path(__file__).parents[2] / "docs" / "OPERATIONS.md"
NAMED = "graphjobs-prod"


def operator_policy(stack: str = NAMED) -> dict[str, Any]:
    """The document, for `stack`."""
    text = OPERATIONS.read_text(encoding="utf-8")
    section = text[text.index("<!-- operator's policy:") :]
    block = re.search(r"^```json\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert block
    document: dict[str, Any] = json.loads(block[1].replace(NAMED, stack))
    return document
