"""In which order tests run where several processes share them (pytest-xdist, ``--dist worksteal``).

Each process begins with a part of the list of its own, all parts equally long, and takes from the end of another's once
it is through. So what takes longest must be where a part begins: at its end it would be what is left when all else is
done, and a file whose fixture is an instance, or a bundle, would be split between two processes, which make it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

HEADS: Final = (("e2e",), ("infra", "model", "integration"))
"""The folders that the first parts begin with, one tuple a part: what mostly waits beside what computes."""

Test = TypeVar("Test")


def spread(tests: Sequence[Test], folder: Callable[[Test], str], processes: int) -> list[Test]:
    """`tests`, each once, with the folders of `HEADS` where the part of a process begins.

    Args:
        tests: in any order, which stays as it is among the tests of one folder, and of all that are in no head.
        folder: the folder of a test, below ``tests/``.
        processes: how many share them.
    """
    heads = [[test for name in names for test in tests if folder(test) == name] for names in HEADS]
    rest = iter([test for test in tests if not any(folder(test) in names for names in HEADS)])
    ordered: list[Test] = []
    for number, head in enumerate(heads):
        ordered += head
        # As pytest-xdist does: of what is left, each process in turn is given its share, rounded down.
        left = len(tests) * (number + 1) // max(processes, 1) if number + 1 < processes else len(ordered)
        ordered += [test for _, test in zip(range(left - len(ordered)), rest, strict=False)]
    return [*ordered, *rest]
