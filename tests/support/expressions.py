"""DynamoDB's expressions, as far as our stores use them: conditions, and the assignments of an update."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final

Item = Mapping[str, Any]
Expression = Callable[[Item, Mapping[str, str], Item], bool]
"""Whether an item is as the expression says, given its names and values."""

_TOKEN: Final = re.compile(r"\s*([#:]?\w+|<=|>=|[=<>(),])")
_PLACEHOLDER: Final = re.compile(r"[#:]\w+")
_SECTION: Final = re.compile(r"\b(SET|REMOVE|ADD)\b")
_ASSIGNMENT: Final = re.compile(
    r"\s*(?P<target>\S+) = (?:if_not_exists\((?P<old>\S+), (?P<default>\S+?)\)|(?P<more>\S+) \+ (?P<added>:\w+)"
    r"|(?P<value>:\w+))\s*(?:,|$)"
)

_COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: bool(a == b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


def name_of(text: str, names: Mapping[str, str]) -> str:
    """The attribute that a name or a placeholder stands for."""
    return names[text] if text.startswith("#") else text


@cache
def placeholders(text: str) -> frozenset[str]:
    """The names and values that an expression leaves to be given."""
    return frozenset(_PLACEHOLDER.findall(text))


@cache
def compiled(text: str) -> Expression:
    """A condition.

    Raises:
        NotImplementedError: it is of a form that no store of ours uses.
    """
    parser = _Parser(list(_TOKEN.findall(text)))
    made = parser.either()
    if parser.left:
        raise NotImplementedError(text)
    return made


def assigned(text: str, before: Item, names: Mapping[str, str], values: Item) -> Item:
    """The item after an update.

    Raises:
        NotImplementedError: as for `compiled`.
    """
    after = dict(before)
    for kind, part in _sections(text):
        if kind == "SET":
            for found in _assignments(part):
                target, old, default, more, added, value = found.groups()
                if old is not None:
                    made = before.get(name_of(old, names), values.get(default))
                elif more is not None:
                    made = _sum(before[name_of(more, names)], values[added])
                else:
                    made = values[value]
                after[name_of(target, names)] = made
        elif kind == "ADD":
            for each in part.split(","):
                name, value = each.split()
                target = name_of(name, names)
                after[target] = _sum(before.get(target, {"N": "0"}), values[value])
        else:
            for name in part.split(","):
                after.pop(name_of(name.strip(), names), None)
    return after


def _assignments(text: str) -> Iterator[re.Match[str]]:
    place = 0
    while place < len(text):
        found = _ASSIGNMENT.match(text, place)
        if found is None:
            raise NotImplementedError(text)
        yield found
        place = found.end()


def _sum(before: Item, added: Item) -> Item:
    if before.keys() != {"N"} or added.keys() != {"N"}:
        raise NotImplementedError("ADD of what is no number")
    return {"N": str(int(before["N"]) + int(added["N"]))}


def _sections(text: str) -> Iterator[tuple[str, str]]:
    first, *parts = _SECTION.split(text)
    if first:
        raise NotImplementedError(text)
    return zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True)


class _Parser:
    """By recursive descent: `either` of those that are `both` of those that are a `term`."""

    def __init__(self, tokens: list[str]) -> None:
        self.left = tokens

    def either(self) -> Expression:
        parts = [self.both()]
        while self.left and self.left[0] == "OR":
            self._take("OR")
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda *at: any(part(*at) for part in parts)

    def both(self) -> Expression:
        parts = [self.term()]
        while self.left and self.left[0] == "AND":
            self._take("AND")
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else lambda *at: all(part(*at) for part in parts)

    def term(self) -> Expression:
        first = self._take()
        if first == "(":
            inner = self.either()
            self._take(")")
            return inner
        if first in ("attribute_exists", "attribute_not_exists", "begins_with"):
            name, *rest = self._listed()
            if rest:
                return lambda item, names, values: _inner(item.get(name_of(name, names))).startswith(
                    _inner(values[rest[0]])
                )
            wanted = first == "attribute_exists"
            return lambda item, names, values: (name_of(name, names) in item) is wanted
        operator = self._take()
        if operator == "IN":
            among = self._listed()
            return lambda item, names, values: item.get(name_of(first, names)) in [values[each] for each in among]
        compare, second = _COMPARE[operator], self._take()

        def compared(item: Item, names: Mapping[str, str], values: Item) -> bool:
            known, asked = item.get(name_of(first, names)), values[second]
            return known is not None and known.keys() == asked.keys() and compare(_inner(known), _inner(asked))

        return compared

    def _listed(self) -> list[str]:
        self._take("(")
        found = [self._take()]
        while self.left[0] == ",":
            self._take(",")
            found.append(self._take())
        self._take(")")
        return found

    def _take(self, expected: str | None = None) -> str:
        token = self.left.pop(0)
        if expected is not None and token != expected:
            raise NotImplementedError(f"{token} in place of {expected}")
        return token


def _inner(value: Any) -> Any:
    """What a value of DynamoDB's holds: numbers compare as such."""
    ((kind, inner),) = value.items()
    return int(inner) if kind == "N" else inner
