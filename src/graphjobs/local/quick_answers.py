"""moto's answers, made without looking for what cannot be there.

A DynamoDB value is a union of ten members, such as ``{"S": "text"}``. moto asks for each of the ten under every name
that it could have in Python, some 50 look-ups per value; for a page of slots that takes longer than all the rest of the
call. Here the one member that is there is taken. moto also lists the methods of a service anew at each request; here
once. What it does with tables, see `quick_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final
from unittest.mock import patch

from moto.core import responses
from moto.core.model import StructureShape
from moto.core.serialize import BaseJSONSerializer
from moto.core.utils import method_names_from_class

from graphjobs.local.quick_tables import quick_tables

_asking: Final = BaseJSONSerializer._serialize_type_structure


@contextmanager
def quick_answers() -> Iterator[None]:
    """Within it, answers are made so."""
    with (
        quick_tables(),
        patch.object(BaseJSONSerializer, "_serialize_type_structure", _serialize),
        patch.object(responses, "method_names_from_class", cache(method_names_from_class)),
    ):
        yield


def _serialize(
    serializer: BaseJSONSerializer, serialized: dict[str, Any], value: Any, shape: StructureShape, key: str
) -> None:
    if shape.name != "AttributeValue" or type(value) is not dict or not value.keys() <= shape.members.keys():
        _asking(serializer, serialized, value, shape, key)
        return
    written: dict[str, Any] = {}
    for member, inner in value.items():
        if inner is not None:
            serializer._serialize(written, inner, shape.members[member], member)
    serialized[key] = written
