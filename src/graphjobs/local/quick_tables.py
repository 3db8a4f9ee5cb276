"""moto's DynamoDB tables, read and written without looking at what cannot matter.

For a query moto sorts all items of the table, and compares their keys after asking each for six types that it is not;
here it is given the items under the one partition key, of the table or of an index, and a text is compared as it is.
For an update it parses the expression anew, copies what it has found node by node and walks ten times through it,
asking of each node of which classes it is; here an expression is parsed once, copied as a whole, and a class is asked
once.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final
from unittest.mock import patch

from moto.dynamodb.models.dynamo_type import DynamoType, Item
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.ast_nodes import (  # type: ignore[attr-defined]
    DepthFirstTraverser,
    Expression,
    Node,
    UpdateExpressionFunction,
)
from moto.dynamodb.parsing.expressions import UpdateExpressionParser  # type: ignore[attr-defined]

AS_THEY_ARE: Final = frozenset({"S", "B", "BOOL"})
"""Types whose values are compared as they are written."""

EXPRESSIONS: Final = 1_000
"""How many update expressions are kept; those of graphjobs are some dozens."""

INDEX: Final = 6
"""Where moto gives a query the name of an index, behind the key."""

_casting: Final[Callable[[DynamoType], Any]] = DynamoType.cast_value.fget  # type: ignore[attr-defined]
_querying: Final = Table.query
_parsing: Final = lru_cache(EXPRESSIONS)(UpdateExpressionParser.make)


@contextmanager
def quick_tables() -> Iterator[None]:
    """Within it, tables are so."""
    with (
        patch.object(DynamoType, "cast_value", property(_cast)),
        patch.object(Table, "query", _query),
        patch.object(UpdateExpressionParser, "make", _parsing),
        patch.object(DepthFirstTraverser, "traverse", _traverse),
        patch.object(Node, "find_clauses", _find_clauses),
        patch.object(Node, "__deepcopy__", _copied, create=True),
    ):
        yield


def _cast(value: DynamoType) -> Any:
    if value.type in AS_THEY_ARE:
        return value.value
    return Decimal(value.value) if value.type == "N" else _casting(value)


def _query(table: Table, hash_key: DynamoType | None, *arguments: Any, **named: Any) -> Any:
    index: Any = arguments[INDEX] if len(arguments) > INDEX else named.get("index_name")
    if index is not None:
        items = _with(table, named.get("hash_key_conditions") or [])
    elif hash_key is not None:
        found = table.items.get(hash_key)
        items = {hash_key: found} if found is not None else {}
    else:
        items = table.items
    table = copy.copy(table)
    table.items = items  # type: ignore[assignment]
    return _querying(table, hash_key, *arguments, **named)


def _with(table: Table, attributes: Sequence[tuple[str, DynamoType]]) -> dict[DynamoType, Any]:
    """The items that have these, as moto keeps items."""

    def has_them(item: Item) -> bool:
        return all(_same(item.attrs.get(name), value) for name, value in attributes)

    if table.range_key_attr is None:
        return {key: item for key, item in table.items.items() if has_them(item)}  # type: ignore[arg-type]
    sorted_by = {
        key: {sort: item for sort, item in items.items() if has_them(item)} for key, items in table.items.items()
    }
    return {key: items for key, items in sorted_by.items() if items}


def _same(found: DynamoType | None, wanted: DynamoType) -> bool:
    if found is None or found.type != wanted.type:
        return False
    return bool(found.value == wanted.value if found.type in AS_THEY_ARE else found == wanted)


def _traverse(traverser: DepthFirstTraverser, node: Any) -> Any:
    wanted = traverser.nodes_to_be_processed()

    def visit(node: Any, place: int) -> Any:
        if not _is_node(type(node)):  # type: ignore[arg-type]
            return node
        parent = node.parent
        for number, child in enumerate(node.children or ()):
            traverser.pre_processing_of_child(node, number)
            visit(child, number)
        if isinstance(node, wanted):
            node = traverser.process(node)
            node.parent = parent
            if parent:
                parent.children[place] = node
        return node

    return visit(node, -1)


def _find_clauses(node: Any, wanted: Sequence[type]) -> list[Any]:
    found: list[Any] = []
    for child in node.children or ():
        if type(child) in wanted:
            found.append(child)
        elif _has_clauses(type(child)):  # type: ignore[arg-type]
            found += child.find_clauses(wanted)
    return found


def _copied(node: Any, _memo: object) -> Any:
    return pickle.loads(pickle.dumps(node, pickle.HIGHEST_PROTOCOL))  # noqa: S301  our own, just made


@cache
def _is_node(kind: type) -> bool:
    return issubclass(kind, Node)


@cache
def _has_clauses(kind: type) -> bool:
    return issubclass(kind, Expression | UpdateExpressionFunction)
