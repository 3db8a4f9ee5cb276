"""LangGraph's store in DynamoDB, held against LangGraph's own store in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from graphjobs.testing.aws import emulated_aws
from graphjobs.worker.store import GraphStore

Namespace = tuple[str, ...]


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with emulated_aws():
        yield


@pytest.fixture
def store(aws: None) -> GraphStore:
    made = GraphStore("store")
    empty(made)
    return made


def empty(store: BaseStore) -> None:
    for item in store.search((), limit=10_000):
        store.delete(item.namespace, item.key)


VALUES: list[dict[str, Any]] = [
    {},
    {"text": "환불", "number": 1, "fraction": 0.1, "large": 2**70, "none": None, "yes": True},
    {"nested": {"list": [1, 2.5, {"a": "b"}], "empty": ""}},
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back_as_it_was(store: GraphStore, value: dict[str, Any]) -> None:
    store.put(("notes", "user-1"), "k", value)
    item = store.get(("notes", "user-1"), "k")
    assert item is not None
    assert (item.value, item.key, item.namespace) == (value, "k", ("notes", "user-1"))
    assert [type(each) for each in item.value.values()] == [type(each) for each in value.values()]


def test_an_item_is_replaced_and_deleted(store: GraphStore) -> None:
    store.put(("n",), "k", {"a": 1})
    first = store.get(("n",), "k")
    store.put(("n",), "k", {"b": 2})
    second = store.get(("n",), "k")
    assert first is not None and second is not None
    assert second.value == {"b": 2} and second.created_at == first.created_at and second.updated_at > first.updated_at
    store.delete(("n",), "k")
    assert store.get(("n",), "k") is None
    store.delete(("n",), "k")


LABELS = st.sampled_from(["a", "b", "aa", "a:b", "*", " "])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["k", ".", "..k", "a.b", "a..k", ":"])
ITEMS = st.dictionaries(st.tuples(NAMESPACES, KEYS), st.integers(0, 3), max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS, st.lists(LABELS, max_size=3).map(tuple), st.none() | st.integers(1, 3))
def test_it_finds_what_langgraphs_own_store_finds(
    store: GraphStore, items: dict[tuple[Namespace, str], int], path: Namespace, depth: int | None
) -> None:
    empty(store)
    reference = InMemoryStore()
    for each in (store, reference):
        for (namespace, key), number in items.items():
            each.put(namespace, key, {"number": number})
    for namespace, key in items:
        assert value_of(store, namespace, key) == value_of(reference, namespace, key)
    assert value_of(store, path or ("a",), "absent") is None
    for wanted in (None, {"number": 1}, {"number": {"$gte": 2}}, {"number": {"$ne": 0}}):
        assert found(store, path, wanted) == found(reference, path, wanted)
    for ask in (
        lambda one: one.list_namespaces(prefix=path or None, max_depth=depth),
        lambda one: one.list_namespaces(suffix=path or None, max_depth=depth, limit=2, offset=1),
    ):
        assert sorted(ask(store)) == sorted(ask(reference))


def value_of(store: BaseStore, namespace: Namespace, key: str) -> Any:
    item = store.get(namespace, key)
    return item and item.value


def found(store: BaseStore, prefix: Namespace, wanted: dict[str, Any] | None) -> list[tuple[Namespace, str]]:
    return sorted((item.namespace, item.key) for item in store.search(prefix, filter=wanted, limit=100))


def test_the_latest_come_first_and_a_filter_counts_before_the_limit(store: GraphStore) -> None:
    for number in range(30):
        store.put(("notes", str(number % 3)), f"k{number:02}", {"even": number % 2 == 0})
    keys = [item.key for item in store.search(("notes",), filter={"even": True}, limit=3, offset=1)]
    assert keys == ["k26", "k24", "k22"]
    store.put(("notes", "0"), "k00", {"even": True})
    assert store.search(("notes",), limit=1)[0].key == "k00"


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"who": {"name": "Ann"}}, True),
        ({"who": {"name": "Ann", "age": {"$lt": 40}}}, True),
        ({"who": {"age": {"$gt": 29.5, "$lte": 30}}}, True),
        ({"who": {"age": {"$gt": 30}}}, False),
        ({"who": "Ann"}, False),
        ({"absent": {"$gt": 0}}, False),
        ({"absent": None}, True),
        ({"who": {"name": {"$eq": "Ann"}}, "tags": ["a", "b"]}, True),
    ],
)
def test_a_filter_looks_into_values(store: GraphStore, wanted: dict[str, Any], expected: bool) -> None:
    store.put(("n",), "k", {"who": {"name": "Ann", "age": 30}, "tags": ["a", "b"]})
    assert bool(store.search(("n",), filter=wanted)) is expected


def test_an_unknown_operator_is_refused(store: GraphStore) -> None:
    store.put(("n",), "k", {"a": 1})
    with pytest.raises(ValueError, match=r"\$in"):
        store.search(("n",), filter={"a": {"$in": [1]}})


def test_more_than_a_page_is_found(store: GraphStore) -> None:
    """DynamoDB gives a megabyte at most at once."""
    for number in range(6):
        store.put(("n",), str(number), {"text": "x" * 300_000})
    assert len(store.search(("n",), limit=10)) == 6
    assert len(store.search((), limit=10)) == 6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the store's clock on by minutes."""
    now = time.time
    return lambda minutes: monkeypatch.setattr("graphjobs.worker.store.time.time", lambda: now() + minutes * 60)


def test_what_has_expired_is_gone_at_once(store: GraphStore, clock: Callable[[float], None]) -> None:
    store.put(("n",), "short", {"a": 1}, ttl=10)
    store.put(("n",), "long", {"a": 1})
    clock(9)
    assert store.get(("n",), "short") is not None and len(store.search(("n",))) == 2
    clock(11)
    assert store.get(("n",), "short") is None
    assert [item.key for item in store.search(("n",))] == ["long"]
    store.delete(("n",), "long")
    assert store.list_namespaces() == []


@pytest.mark.parametrize("refresh", [True, False])
def test_reading_lets_an_item_live_on_if_the_file_says_so(
    aws: None, monkeypatch: pytest.MonkeyPatch, refresh: bool
) -> None:
    made = GraphStore("store", {"default_ttl": 10, "refresh_on_read": refresh})
    empty(made)
    made.put(("n",), "got", {"a": 1})
    made.put(("n",), "searched", {"a": 1})
    order = [item.key for item in made.search(("n",), refresh_ttl=False)]
    before = expiries(made)
    monkeypatch.setattr(made, "_calculate_expiry", lambda minutes: int(time.time() + minutes * 60) + 100)
    made.get(("n",), "got")
    made.search(("n",), filter={"a": 1}, limit=1)
    assert all((after > earlier) is refresh for earlier, after in zip(before, expiries(made), strict=True))
    assert [item.key for item in made.search(("n",), refresh_ttl=False)] == order


def expiries(store: GraphStore) -> list[int]:
    items = store.client.scan(TableName="store")["Items"]
    return [int(item["expires_at"]["N"]) for item in sorted(items, key=lambda item: str(item["SK"]))]


def test_an_item_that_is_deleted_while_it_is_read_does_not_come_back(store: GraphStore) -> None:
    made = GraphStore("store", {"default_ttl": 10})
    made._refresh_ttl("n", ".absent")
    assert store.client.scan(TableName="store")["Items"] == []


def test_two_stores_see_each_others_items_at_once(aws: None) -> None:
    one, other = GraphStore("store"), GraphStore("store")
    empty(one)

    async def run() -> None:
        await one.aput(("notes",), "k", {"a": 1})
        assert [item.key for item in await other.asearch(("notes",))] == ["k"]
        await asyncio.gather(*(other.aput(("notes",), str(number), {"a": number}) for number in range(5)))
        assert len(await one.asearch(("notes",))) == 6

    asyncio.run(run())


@pytest.mark.parametrize("operation", ["GetItem", "Query", "Scan"])
def test_every_read_is_consistent(store: GraphStore, operation: str) -> None:
    """moto does not tell; what is sent does."""
    sent: list[Any] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        sent.append(params.get("ConsistentRead"))

    event = f"provide-client-params.dynamodb.{operation}"
    store.client.meta.events.register(event, note)
    store.get(("n",), "k")
    store.search(("n", "m"))
    store.search(())
    store.list_namespaces()
    store.list_namespaces(prefix=("n",))
    assert sent and all(sent)


def test_what_is_too_large_says_so(store: GraphStore) -> None:
    with pytest.raises(ClientError, match="size"):
        store.put(("n",), "k", {"text": "x" * 500_000})
