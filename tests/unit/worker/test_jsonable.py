"""Whatever a graph puts in its state: strict JSON comes out, always."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import math
import pathlib
import re
import uuid
import zoneinfo
from collections import OrderedDict, namedtuple
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from graphjobs.core.event import Event
from graphjobs.worker.jsonable import MAX_DEPTH, MAX_INTEGER_BITS, MAX_REPR, encode, jsonable


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


class Missing:
    """As pandas writes what is missing."""


Missing.__name__ = "NAType"
Missing.__module__ = "pandas._libs.missing"


class Frame:
    """As a table of pandas."""

    columns = ("a", "b")

    def to_dict(self, orient: str) -> Any:
        assert orient == "records"
        return [{"a": np.int64(1), "b": Missing()}]


Frame.__module__ = "pandas.core.frame"

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
        ("\ud83d\ude00", "\U0001f600"),
        ({"\udfff": 1, "\ud83d\ude00": 2}, {"\ufffd": 1, "\U0001f600": 2}),
        ("\U0001f600", "\U0001f600"),
        ((1, 2), [1, 2]),
        ({1}, [1]),
        (frozenset({"x"}), ["x"]),
        (range(3), [0, 1, 2]),
        (SECOND, "2026-01-02T03:04:05+00:00"),
        (SECOND.date(), "2026-01-02"),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (decimal.Decimal("1.10"), "1.10"),
        (fractions.Fraction(1, 3), "1/3"),
        (datetime.timedelta(seconds=90), 90.0),
        (datetime.UTC, "UTC"),
        (zoneinfo.ZoneInfo("UTC"), "UTC"),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (ipaddress.ip_address("::1"), "::1"),
        (re.compile("a+"), "a+"),
        ({"a": 1}.values(), [1]),
        ({"a": 1}.keys(), ["a"]),
        ({"a": 1}.items(), [["a", 1]]),
        (collections.deque([1]), [1]),
        (np.int64(3), 3),
        (np.float32(1.5), 1.5),
        (np.float64("nan"), None),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.arange(2000), list(range(2000))),
        (np.ones((2, 2)), [[1, 1], [1, 1]]),
        (np.array([np.nan, 1]), [None, 1]),
        (np.array(5), 5),
        (np.array(["a", {1}], dtype=object), ["a", [1]]),
        (np.datetime64("2026-01-01"), "2026-01-01"),
        (np.datetime64("NaT", "D"), None),
        (np.array(["2026-01-01"], dtype="M8[ns]"), ["2026-01-01T00:00:00.000000000"]),
        (Frame(), [{"a": 1, "b": None}]),
        (Missing(), None),
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
    assert json.loads(encode([value]).text) == [expected]


def test_messages_and_documents_keep_their_parts() -> None:
    made = strict(jsonable({"messages": [HumanMessage("hi"), AIMessage("yo", id="m1")], "docs": [Document("text")]}))
    assert [(m["type"], m["content"]) for m in made["messages"]] == [("human", "hi"), ("ai", "yo")]
    assert made["messages"][1]["id"] == "m1"
    assert made["docs"][0]["page_content"] == "text"


def test_a_cycle_is_cut() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = [loop]
    assert strict(jsonable(loop)) == json.loads(encode(loop).text) == {"a": 1, "self": ["[cycle]"]}


def test_the_same_object_twice_is_no_cycle() -> None:
    shared = {"x": 1}
    assert jsonable([shared, shared]) == [shared, shared]


def nested(depth: int, leaf: Any = "bottom") -> Any:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


@pytest.mark.parametrize("leaf", ["bottom", {1}], ids=["plain", "odd"])
def test_what_a_checkpoint_can_hold_is_kept_however_deep(leaf: Any) -> None:
    for depth in (60, 100, 200, MAX_DEPTH - 1):
        made = encode(nested(depth, leaf))
        assert made.cut == () and made.text == json.dumps(nested(depth, strict(jsonable(leaf))), separators=(",", ":"))


def test_what_is_deeper_is_cut_and_said() -> None:
    made = encode(nested(100_000))
    assert made.text.count("[") == MAX_DEPTH + 1 and "too deep" in made.text
    assert made.cut == (f"list: nested deeper than {MAX_DEPTH}",)


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        (2 ** (MAX_INTEGER_BITS + 1), f"an integer of {MAX_INTEGER_BITS + 2} bits: too large"),
        (Hostile(), "Hostile: raises RuntimeError"),
        (LongName(), "LongName: has no form in JSON"),
        ({1, 2.5, b"x", "\ud800"}, None),
    ],
)
def test_what_is_cut_is_said(value: Any, cut: str | None) -> None:
    assert encode({"a": [value, value]}).cut == ((cut,) if cut else ())


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
    text = encode({"value": value}).text
    assert "\n" not in text
    assert json.loads(text.encode()) == strict(jsonable({"value": value}))
