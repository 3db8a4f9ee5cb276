"""What may be made of the bytes of a checkpoint: LangGraph's own types, and classes that the project has loaded.

LangGraph names a class by module and name, and imports it to read a value. Here nothing is imported for that: it has to
be a class, in a module that the process has loaded before, and of Python's own library only what is plain data.
"""

from __future__ import annotations

import sys
from enum import Enum
from typing import Any, Final

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer, _create_msgpack_ext_hook

PLAIN_DATA: Final = frozenset({"array", "collections", "fractions"})
"""Modules of Python's own library whose classes do nothing but hold values; others are on LangGraph's list."""


class LoadedClasses(set[tuple[str, ...]]):
    """Contains ``(module, name)`` of each class that a module of the project or of its packages has."""

    def __contains__(self, key: object) -> bool:
        """Whether a value of this type may be read."""
        if not isinstance(key, tuple) or len(key) != 2:
            return False
        module, name = key
        found: Any = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
        if not isinstance(found, type):
            return False
        return module.partition(".")[0] not in sys.stdlib_module_names | {"builtins"} - PLAIN_DATA or issubclass(
            found, Enum
        )


def project_serializer() -> JsonPlusSerializer:
    """LangGraph's serializer, for projects whose states hold classes of their own."""
    return JsonPlusSerializer(__unpack_ext_hook__=_create_msgpack_ext_hook(LoadedClasses()))
