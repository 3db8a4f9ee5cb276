"""The hosts that are played here, and what each answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from compat import chat_api, messages_api
from compat.model import Manner

Answer = dict[str, Any] | Iterator[str] | str

SHOP: Final = """
CREATE TABLE Artist (ArtistId INTEGER, Name TEXT);
CREATE TABLE Album (AlbumId INTEGER, Title TEXT, ArtistId INTEGER);
CREATE TABLE Genre (GenreId INTEGER, Name TEXT);
CREATE TABLE Track (TrackId INTEGER, Name TEXT, AlbumId INTEGER, GenreId INTEGER, UnitPrice REAL);
CREATE TABLE Employee (EmployeeId INTEGER, FirstName TEXT, Title TEXT, Email TEXT);
CREATE TABLE Customer (CustomerId INTEGER, Phone TEXT, Email TEXT, SupportRepId INTEGER);
CREATE TABLE Invoice (InvoiceId INTEGER, CustomerId INTEGER, InvoiceDate TEXT);
CREATE TABLE InvoiceLine (InvoiceLineId INTEGER, InvoiceId INTEGER, UnitPrice REAL);
INSERT INTO Artist VALUES (1, 'The Fence');
INSERT INTO Album VALUES (1, 'Lease of Life', 1);
INSERT INTO Genre VALUES (1, 'Rock');
INSERT INTO Track VALUES (1, 'Heartbeat', 1, 1, 0.99);
INSERT INTO Employee VALUES (1, 'Ann', 'Clerk', 'ann@example.com');
INSERT INTO Customer VALUES (1, '+15550100', 'boris@example.com', 1);
INSERT INTO Invoice VALUES (1, 1, '2026-11-25');
INSERT INTO InvoiceLine VALUES (1, 1, 0.99);
"""
"""A music shop, in place of the sample database that a project gets from GitHub: its tables, with one row each."""

FOUND: Final = {
    "query": "",
    "answer": None,
    "images": [],
    "response_time": 0.1,
    "results": [{"url": "https://example.com", "title": "A page", "content": "Words of a page.", "score": 0.9}],
}


@dataclass
class Services:
    """Answers for `HOSTS`.

    Attributes:
        manner: how the model speaks.
        asked: every request to a model, as it came.
    """

    manner: Manner = field(default_factory=Manner)
    asked: list[dict[str, Any]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, host: str, path: str, body: bytes) -> Answer | None:
        """What `host` says to a request; None: it knows nothing of `path`."""
        found = HOSTS[host].get(path)
        if found is None:
            return None
        request = json.loads(body) if body else {}
        if host in MODELS:
            with self._lock:
                self.asked.append(request)
        return found(request, self.manner)


MODELS: Final = ("api.openai.com", "api.anthropic.com")

HOSTS: Final[Mapping[str, Mapping[str, Callable[[Mapping[str, Any], Manner], Answer]]]] = {
    "api.openai.com": {
        "/v1/chat/completions": chat_api.completion,
        "/v1/responses": chat_api.response,
        "/v1/embeddings": lambda body, manner: chat_api.embeddings(body),
    },
    "api.anthropic.com": {"/v1/messages": messages_api.message},
    "api.tavily.com": {"/search": lambda body, manner: FOUND},
    "api.open-meteo.com": {
        "/v1/forecast": lambda body, manner: {"current": {"temperature_2m": 59.0, "weather_code": 3}}
    },
    "raw.githubusercontent.com": {
        "/lerocha/chinook-database/master/ChinookDatabase/DataSources/Chinook_Sqlite.sql": lambda body, manner: SHOP
    },
}
