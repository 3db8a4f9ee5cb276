"""A page of another origin in a real browser, and a local instance whose connections are short."""

from __future__ import annotations

import importlib.util
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.instance import Target, target_from_environment

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Only `make browser` installs it: for the rest of the work nobody needs a browser.
collect_ignore = [] if importlib.util.find_spec("playwright") else ["test_snippet.py"]

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "examples" / "starter" / "langgraph.json"
SETTINGS = {
    "GRAPHJOBS_OFFLINE_TOKEN_MS": "40",
    # An answer takes some connections.
    "GRAPHJOBS_STREAM_WINDOW_SECONDS": "1",
}
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
# It looks up hosts of its own at every start, unless told not to.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A local instance."""
    with target_from_environment(tmp_path_factory.mktemp("instance"), STARTER, **SETTINGS) as target:
        yield target


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless."""
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "Chromium was not found: install it, or name it in CHROMIUM."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The origin of an empty page that is neither the API's nor the stream's."""

    class Empty(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>a page</title>")

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not logged."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
