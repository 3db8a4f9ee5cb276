"""The terms in a database in memory: something that has to be opened and closed, as a connection has."""

import re
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml


class Index:
    """The terms of `terms.yaml`, which lies beside this module."""

    def __enter__(self) -> Self:
        """Open it."""
        terms = yaml.safe_load(Path(__file__).with_name("terms.yaml").read_text(encoding="utf-8"))
        # LangGraph runs the nodes in threads of its own; one at a time reads here.
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("create table terms (term text primary key, meaning text)")
        self._database.executemany("insert into terms values (?, ?)", terms.items())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; whoever asks then gets `sqlite3.ProgrammingError`."""
        self._database.close()

    def terms_in(self, text: str) -> dict[str, str]:
        """The terms that `text` has as words, with their meanings, in the order of the alphabet."""
        words = sorted(set(re.findall(r"[a-z]+", text.lower())))
        marks = ",".join("?" * len(words))
        rows = self._database.execute(f"select term, meaning from terms where term in ({marks}) order by term", words)  # noqa: S608 - only marks
        return dict(rows.fetchall())
