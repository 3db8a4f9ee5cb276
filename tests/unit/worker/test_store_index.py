"""Search by meaning in the store, held against LangGraph's own store in memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.store.base import BaseStore, IndexConfig, PutOp, SearchItem, ensure_embeddings
from langgraph.store.memory import InMemoryStore

from graphjobs.core.settings import Settings
from graphjobs.testing.aws import emulated_aws
from graphjobs.worker import store_index
from graphjobs.worker.embeddings import load_embeddings
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.store import GraphStore, graph_store
from graphjobs.worker.store_index import StoreIndex
from tests.support.projects import write_project

LETTERS = "aeiou"


def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in LETTERS] for text in texts]


async def embed_async(texts: Sequence[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return embed(texts)


AGENT = f"""
LETTERS = {LETTERS!r}

def embed(texts):
    return [[float(text.count(letter)) for letter in LETTERS] for text in texts]

async def embed_async(texts):
    return embed(texts)

number = 5
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[None]:
    with emulated_aws():
        yield


def store_with(function: Any = embed, **config: Any) -> GraphStore:
    """An empty store with an index by `function`."""
    index = {"embed": "./agent.py:embed", "dims": 5, "fields": ["text"]} | config
    made = GraphStore("store", index=StoreIndex(index, lambda: ensure_embeddings(function)))
    for item in made.search((), limit=10_000):
        made.delete(item.namespace, item.key)
    return made


def keys(items: list[SearchItem]) -> list[str]:
    return [item.key for item in items]


WORDS = st.text(alphabet="aeiou", min_size=1, max_size=6)
# LangGraph's store in memory fails for an item in which two texts are the same.
MORE = st.lists(WORDS.map("x{}".format), max_size=3, unique=True)
VALUES = st.fixed_dictionaries({}, optional={"text": WORDS, "more": MORE, "kind": st.sampled_from(["one", "two"])})
PUTS = st.dictionaries(
    st.tuples(st.sampled_from([("u", "1"), ("u", "2"), ("v",)]), st.sampled_from("klmn")),
    st.tuples(VALUES, st.sampled_from([None, False, ["more[*]"], ["text", "more[*]"]])),
    max_size=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PUTS, WORDS, st.none() | st.just({"kind": "one"}), st.integers(1, 4), st.sampled_from(["sync", "async"]))
def test_it_finds_and_scores_what_langgraphs_own_store_does(
    aws: None, puts: dict[Any, Any], question: str, wanted: dict[str, Any] | None, limit: int, how: str
) -> None:
    store = store_with(embed if how == "sync" else embed_async)
    reference = InMemoryStore(index=IndexConfig(embed=embed, dims=5, fields=["text"]))

    def by(one: BaseStore) -> list[SearchItem]:
        for (namespace, key), (value, index) in puts.items():
            one.put(namespace, key, value, index=index)
        return one.search(("u",), query=question, filter=wanted, limit=limit)

    async def by_async(one: BaseStore) -> list[SearchItem]:
        for (namespace, key), (value, index) in puts.items():
            await one.aput(namespace, key, value, index=index)
        return await one.asearch(("u",), query=question, filter=wanted, limit=limit)

    ours = by(store) if how == "sync" else asyncio.run(by_async(store))
    # Of equal scores either may come first: so what is compared is the scores, in their order, and each item's own.
    assert rounded(ours) == rounded(by(reference))
    everything = reference.search(("u",), query=question, limit=99)
    own = {(item.namespace, item.key): score for item, score in zip(everything, rounded(everything), strict=True)}
    assert rounded(ours) == [own[item.namespace, item.key] for item in ours]


def rounded(items: list[SearchItem]) -> list[float | None]:
    return [None if item.score is None else round(item.score, 4) for item in items]


def test_the_nearest_come_first_and_are_counted_from_there(aws: None) -> None:
    store = store_with()
    for text in ("aaa", "aae", "aee", "eee"):
        store.put(("n",), text, {"text": text})
    assert keys(store.search(("n",), query="e", limit=2)) == ["eee", "aee"]
    assert keys(store.search(("n",), query="e", limit=2, offset=1)) == ["aee", "aae"]
    assert keys(store.search(("n",), limit=2)) == ["eee", "aee"], "nothing is asked: the latest"
    assert [item.score for item in store.search(("n",))] == [None] * 4


def test_an_item_that_is_put_again_has_the_vectors_of_its_new_value_alone(aws: None) -> None:
    store = store_with()
    store.put(("n",), "k", {"text": "aaa"})
    store.put(("n",), "k", {"text": "eee"})
    assert rounded(store.search(("n",), query="a")) == [0.0]
    store.put(("n",), "k", {"text": "aaa"}, index=False)
    assert rounded(store.search(("n",), query="a")) == [None]
    item = store.get(("n",), "k")
    assert item is not None and item.value == {"text": "aaa"}


@pytest.mark.parametrize("config", [{"embed": "another:model"}, {"dims": 4}])
def test_vectors_of_other_embeddings_are_not_compared(aws: None, config: dict[str, Any]) -> None:
    store = store_with()
    store.put(("n",), "old", {"text": "a"})
    other = GraphStore(
        "store",
        index=StoreIndex(
            {"embed": "./agent.py:embed", "dims": 5} | config,
            lambda: store_with_dims(config.get("dims", 5)),
        ),
    )
    other.put(("n",), "new", {"text": "e"})
    found = other.search(("n",), query="a")
    assert keys(found) == ["new", "old"] and found[1].score is None


def store_with_dims(dims: int) -> Any:
    return ensure_embeddings(lambda texts: [each[:dims] for each in embed(texts)])


@pytest.mark.parametrize(
    ("gives", "reason"),
    [
        (lambda texts: [[1.0, 2.0] for _ in texts], "gives 2 dimensions; dims says 5"),
        (lambda texts: [[float("nan")] * 5 for _ in texts], "holds no number"),
    ],
)
def test_a_vector_that_cannot_be_kept_is_refused(aws: None, gives: Callable[..., Any], reason: str) -> None:
    store = store_with(gives)
    with pytest.raises(ValueError, match=reason):
        store.put(("n",), "k", {"text": "a"})
    with pytest.raises(ValueError, match=reason):
        store.search(("n",), query="a")
    assert store.get(("n",), "k") is None


def test_a_text_is_embedded_once_for_all_that_have_it_and_nothing_without_need(aws: None) -> None:
    asked: list[list[str]] = []

    def noted(texts: list[str]) -> list[list[float]]:
        asked.append(list(texts))
        return embed(texts)

    store = store_with(noted)
    store.batch([PutOp(("n",), key, {"text": "same"}) for key in "abc"])
    assert asked == [["same"]]
    store.get(("n",), "a")
    store.search(("n",))
    store.delete(("n",), "a")
    store.put(("n",), "b", {"other": 1})
    assert asked == [["same"]]


def test_the_product_of_python_311_is_that_of_312(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = [0.1, 0.2, -0.3], [3.0, 2.0, 1.0]
    newer = store_index._product(one, other)
    monkeypatch.setattr(sys, "version_info", (3, 11))
    assert store_index._product(one, other) == pytest.approx(newer) == pytest.approx(0.4)


@pytest.mark.parametrize("name", ["embed", "embed_async"])
def test_embeddings_of_a_file_are_loaded_when_first_used(aws: None, tmp_path: Path, name: str) -> None:
    index = {"embed": f"./agent.py:{name}", "dims": 5, "fields": ["text"]}
    path = write_project(tmp_path, {"agent.py": AGENT}, store={"index": index})
    store = graph_store(Settings(config=str(path), store_table="store"))
    assert store.check() == ""

    async def run() -> list[SearchItem]:
        await store.aput((name,), "k", {"text": "aaa"})
        found: list[SearchItem] = await store.asearch((name,), query="a")
        return found

    assert rounded(asyncio.run(run())) == [1.0]


@pytest.mark.parametrize(
    ("embed", "reason"),
    [
        ("./absent.py:embed", "there is no file"),
        ("./agent.py:absent", "has no attribute 'absent'"),
        ("./agent.py:number", "number is a int, not a function of texts"),
        ("nonsense", "cannot be had"),
        ("openai:text-embedding-3-small", "langchain_openai|langchain-openai"),
    ],
)
def test_embeddings_that_cannot_be_had_are_one_line(aws: None, tmp_path: Path, embed: str, reason: str) -> None:
    index = {"embed": embed, "dims": 5}
    path = write_project(tmp_path, {"agent.py": AGENT}, store={"index": index})
    store = graph_store(Settings(config=str(path), store_table="store"))
    line = store.check()
    assert line.startswith(f"store.index: the embeddings {embed} cannot be had: ") and "\n" not in line
    with pytest.raises(GraphLoadError, match=reason):
        load_embeddings(embed, tmp_path)
    with pytest.raises(GraphLoadError, match=r"store\.index"):
        store.put(("n",), "k", {"text": "a"})


def test_vectors_are_small(aws: None) -> None:
    """Four bytes per dimension: 1,536 of them are 6 KB of the 400 KB of an item."""
    store = store_with(lambda texts: [[0.1] * 1536 for _ in texts], dims=1536)
    store.put(("n",), "k", {"text": "a"})
    (item,) = store.client.scan(TableName="store")["Items"]
    assert len(item["vectors"]["M"]["./agent.py:embed"]["B"]) == 4 * 1536
    assert json.loads(item["value"]["S"]) == {"text": "a"}
