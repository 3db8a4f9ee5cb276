"""Whatever a graph puts in its state: strict JSON comes out, always."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from collections import OrderedDict, namedtuple
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from graphjobs.core.event import Event
from graphjobs.worker.jsonable import MAX_DEPTH, MAX_REPR, encode, jsonable


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class Point:
    x: float
    label: Any = None


class Model(BaseModel):
    name: str
    score: float = 0.5


class Hostile:
    """Raises from whatever it is asked."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    def model_dump(self) -> Any:
        raise RuntimeError("no")


class LongName:
    def __repr__(self) -> str:
        return "\ud800" + "x" * 10_000


Pair = namedtuple("Pair", "a b")
SECOND = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def strict(value: Any) -> Any:
    """Through the bytes of strict JSON and back."""
    return json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, 2.5, None, True, "가"]}, {"a": [1, 2.5, None, True, "가"]}),
        (math.nan, None),
        ([math.inf, -math.inf], [None, None]),
        (b"\x00\xff", {"base64": "AP8="}),
        (bytearray(b"ab"), {"base64": "YWI="}),
        ("a\ud800b", "a\ufffdb"),
        ({"\udfff": 1}, {"\ufffd": 1}),
        ("\U0001f600", "\U0001f600"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset({"x"}), ["x"]),
        (range(3), [0, 1, 2]),
        (SECOND, "2026-01-02T03:04:05+00:00"),
        (SECOND.date(), "2026-01-02"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (decimal.Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        ({Colour.RED: Level.HIGH}, {"red": 3}),
        ({1: 2, None: 3, (1, 2): 4}, {"1": 2, "None": 3, "(1, 2)": 4}),
        (Point(math.nan, [Point(1)]), {"x": None, "label": [{"x": 1, "label": None}]}),
        (Pair(1, b""), {"a": 1, "b": {"base64": ""}}),
        (Model(name="n", score=math.inf), {"name": "n", "score": None}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": {2}}), {"a": [2]}),
        (2**63 - 1, 2**63 - 1),
        (-(10**400), -(10**400)),
        ([10**5000], ["[integer too large]"]),
        (Hostile(), "[not representable: RuntimeError]"),
        ([1, Hostile()], [1, "[not representable: RuntimeError]"]),
    ],
)
def test_each_kind_has_its_form(value: Any, expected: Any) -> None:
    assert strict(jsonable(value)) == expected
    assert json.loads(encode(value)) == expected


def test_messages_and_documents_keep_their_parts() -> None:
    made = strict(jsonable({"messages": [HumanMessage("hi"), AIMessage("yo", id="m1")], "docs": [Document("text")]}))
    assert [(m["type"], m["content"]) for m in made["messages"]] == [("human", "hi"), ("ai", "yo")]
    assert made["messages"][1]["id"] == "m1"
    assert made["docs"][0]["page_content"] == "text"


def test_a_cycle_is_cut() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = [loop]
    assert strict(jsonable(loop)) == json.loads(encode(loop)) == {"a": 1, "self": ["[cycle]"]}


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = {"x": 1}
    assert jsonable([shared, shared]) == [shared, shared]


def test_depth_is_bounded() -> None:
    deep: Any = "bottom"
    for _ in range(100_000):
        deep = [deep]
    text = json.dumps(jsonable(deep))
    assert text.count("[") == MAX_DEPTH + 1 and "too deep" in text
    assert encode(deep).count("[") == MAX_DEPTH + 1


def test_a_long_repr_is_shortened() -> None:
    made = jsonable(LongName())
    assert len(made) == MAX_REPR and strict(made) == made


def test_a_class_is_not_taken_for_its_instance() -> None:
    assert isinstance(jsonable(Model), str) and isinstance(jsonable(Point), str)


text = st.text(st.characters(codec=None, exclude_categories=()))
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | text
    | st.binary()
    | st.datetimes()
    | st.decimals()
    | st.complex_numbers()
    | st.uuids()
    | st.timedeltas()
    | st.sampled_from([Colour.RED, Level.HIGH, object(), Model, len, ...])
    | st.builds(Hostile)
    | st.builds(LongName)
)
keys = st.one_of(text, st.integers(), st.floats(), st.none(), st.binary(), st.booleans(), st.just(Colour.RED))
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(keys, inner)
        | st.sets(st.integers() | text)
        | st.builds(Point, st.floats(), inner)
        | st.builds(Pair, inner, inner)
        | st.builds(Document, text, metadata=st.dictionaries(st.text(), inner))
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, database=None)
@given(anything)
def test_anything_becomes_strict_json_that_round_trips(value: Any) -> None:
    made = jsonable(value)
    assert strict(made) == made
    line = Event(1, "custom", "t", {"value": made}).line()
    assert "\n" not in line and json.loads(line.encode())["data"]["value"] == made
    assert jsonable(made) == made


@settings(max_examples=300, deadline=None, database=None)
@given(anything)
def test_what_is_encoded_as_it_stands_is_the_same_json(value: Any) -> None:
    text = encode({"value": value})
    assert "\n" not in text
    assert json.loads(text.encode()) == strict(jsonable({"value": value}))
