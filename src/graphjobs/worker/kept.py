"""What the modules of a project keep: pools, sessions and batchers live on after a job, what it alone knew does not.

An object is kept if it can be reached from the globals of a module that is not of Python's own library, nor of ours.
That walk is costly, and so is made only when a job has left something behind that was not seen before.
"""

from __future__ import annotations

import gc
import sys
from asyncio import AbstractEventLoop
from collections.abc import Collection, Iterator
from types import FrameType, ModuleType, TracebackType
from typing import Any, Final

NOT_ASKED: Final = sys.stdlib_module_names | {"__main__", "builtins", "graphjobs", "langgraph", "pytest", "_pytest"}
"""Top-level packages that refer to whatever is running, because that is what they are for."""

NOT_KEPT: Final = (ModuleType, AbstractEventLoop, FrameType, TracebackType)
"""What refers to all that is under way, and keeps nothing itself."""

AT_ONCE: Final = 1_000
"""Objects whose referents are asked for in one call: each call is an audit event, which a hook of Python's sees."""


def kept_of(objects: Collection[Any]) -> list[Any]:
    """Those of `objects` that a module keeps."""
    wanted = {id(each): each for each in objects}
    found = []
    for each in _reachable():
        if id(each) in wanted:
            found.append(wanted.pop(id(each)))
            if not wanted:
                break
    return found


def kept_instances(types: tuple[type, ...]) -> list[Any]:
    """The instances of `types` that a module keeps."""
    return [each for each in _reachable() if isinstance(each, types)]


def _reachable() -> Iterator[Any]:
    modules = [(name, module) for name, module in list(sys.modules.items()) if isinstance(module, ModuleType)]
    asked = [module for name, module in modules if name.partition(".")[0] not in NOT_ASKED]
    # The project's own modules first: what is looked for is there, mostly.
    asked.sort(key=lambda module: "site-packages" in (getattr(module, "__file__", None) or "site-packages"))
    # Each module's globals are asked in their turn or not at all, whatever function refers to them.
    seen = {id(vars(module)) for _, module in modules}
    for module in asked:
        pending: list[Any] = [vars(module)]
        while pending:
            current, pending = pending[-AT_ONCE:], pending[:-AT_ONCE]
            for each in filter(gc.is_tracked, gc.get_referents(*current)):
                if id(each) not in seen and not isinstance(each, NOT_KEPT):
                    seen.add(id(each))
                    pending.append(each)
                    yield each
