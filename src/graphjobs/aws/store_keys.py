"""Keys of the Store table: where an item of LangGraph's store is, and of which namespace a key is.

The partition is the first label of the namespace; the sort key is each further label and ``.``, then ``.`` and the
item's key. A label is never empty and has no ``.``, as LangGraph sees to, so this can be read back.
"""

from __future__ import annotations

Namespace = tuple[str, ...]


def store_key(namespace: Namespace, key: str) -> tuple[str, str]:
    """Partition and sort key of an item."""
    return namespace[0], under(namespace[1:]) + "." + key


def under(labels: Namespace) -> str:
    """What the sort keys begin with of all namespaces that have these labels after the first one."""
    return "".join(f"{label}." for label in labels)


def read_back(partition: str, sort: str) -> tuple[Namespace, str]:
    """Namespace and key of the item at these keys."""
    labels = [partition]
    while not sort.startswith("."):
        label, _, sort = sort.partition(".")
        labels.append(label)
    return tuple(labels), sort[1:]
