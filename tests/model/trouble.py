"""What may go wrong during a step of the model: a call that fails, or that another actor comes before."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from tests.support.faults import FAULTS, Faults, client_error

Trouble = tuple[str, str]
"""A kind of call, and what happens at the next one: a fault, or a race."""

RACES = ("reconcile", "deliver", "lapse", "beat", "cancel", "settle")

CALLS = {
    "write": ("transact_write_items", "update_item", "put_item"),
    "transact": ("transact_write_items",),
    "read": ("get_item", "query"),
    "send": ("send_message",),
}

KINDS = {
    "write": ("lost", "lost", "throttled", "internal", "reset", "beat", *RACES),
    "read": ("throttled", "lapse", "deliver", "reconcile"),
    "send": ("lost", "throttled"),
    "transact": ("conflict",),
}

TROUBLES: list[Trouble] = [(where, kind) for where, kinds in KINDS.items() for kind in kinds]


def arm(faults: Faults, trouble: Trouble, race: Callable[[], object]) -> None:
    """Let it happen at the next call of each operation of that kind."""
    where, kind = trouble
    for operation in CALLS[where]:
        if kind in FAULTS:
            faults.fail(operation, FAULTS[kind]())
        elif kind == "conflict":
            faults.fail(operation, conflict())
        elif kind == "lost":
            faults.lose_answer(operation)
        else:
            faults.before(operation, race)


def conflict() -> ClientError:
    """Another transaction was at the same item: retried, never taken for a fence."""
    error = client_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    return error
