"""The README's browser snippet, word for word, in a real browser: its EventSource, its CORS, its coming back."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.instance import Target

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
(SNIPPET,) = re.findall(r"^```js\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
PATIENCE_MS = 60_000

GLUE = """
  const events = [];
  let opened = 0, connected = 0, job, stop;
  const Native = EventSource;
  window.EventSource = class extends Native {
    constructor(url) {
      super(url);
      window.last = this;
      opened += 1;
      this.addEventListener("open", () => { connected += 1; });
    }
  };
  async function submit(api, token, body) {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json",
                      "Idempotency-Key": crypto.randomUUID() };
    const answer = await fetch(`${api}/jobs`, { method: "POST", headers, body: JSON.stringify(body) });
    return job = await answer.json();
  }
  function begin(api, token, change, last) {
    stop = follow(api, () => token, { ...job, ...change }, (event) => events.push(event), last);
  }
"""


class Client:
    """The page of a web client that follows a job with the snippet."""

    def __init__(self, page: Page, target: Target) -> None:
        self.page = page
        self._access = [target.api_url, target.token("user-1")]

    def submit(self, query: str = "환불 정책 알려줘") -> dict[str, Any]:
        """A chat job, submitted by the page."""
        call = "([api, token, body]) => submit(api, token, body)"
        job: dict[str, Any] = self.page.evaluate(call, [*self._access, {"query": query}])
        assert job["status"] == "queued"
        return job

    def follow(self, *, last: int = 0, **change: str) -> None:
        """Begin to follow it after event `last`, with `change` in the answer of the submission."""
        self.page.evaluate("(given) => begin(...given)", [*self._access, change, last])

    def until(self, condition: str) -> None:
        """Wait until `condition` holds in the page."""
        self.page.wait_for_function(condition, timeout=PATIENCE_MS)

    def until_done(self) -> list[dict[str, Any]]:
        """Wait for the end; returns all events that the page was given."""
        self.until("events.length > 0 && events.at(-1).type === 'done'")
        events: list[dict[str, Any]] = self.page.evaluate("events")
        return events

    def count(self, name: str) -> int:
        """`opened` or `connected`: how many EventSources were made, how many connections they had."""
        count: int = self.page.evaluate(name)
        return count


@pytest.fixture
def client(browser: Browser, origin: str, target: Target) -> Iterator[Client]:
    context = browser.new_context()
    page = context.new_page()
    page.goto(origin)
    page.add_script_tag(content=GLUE + SNIPPET)
    yield Client(page, target)
    context.close()


def test_an_answer_is_followed_over_many_connections_without_gap_or_repeat(client: Client, target: Target) -> None:
    job = client.submit()
    client.follow()
    events = client.until_done()
    assert events == target.log(job["job_id"])
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert client.count("connected") > 1, "the window is shorter than the answer"
    assert client.count("opened") == 1, "EventSource comes back by itself"


def test_after_the_end_nothing_is_opened_any_more(client: Client) -> None:
    client.submit()
    client.follow()
    client.until_done()
    client.until("window.last.readyState === EventSource.CLOSED")


def test_a_refused_ticket_is_replaced_and_nothing_comes_twice(client: Client, target: Target) -> None:
    job = client.submit()
    client.follow(stream_url=re.sub(r"ticket=[^&]*", "ticket=k1.1.expired", job["stream_url"]))
    assert client.until_done() == target.log(job["job_id"])
    assert client.count("opened") == 2


def test_a_page_that_was_loaded_again_goes_on_where_it_was(client: Client, target: Target) -> None:
    job = client.submit()
    client.follow()
    client.until("events.length >= 3")
    client.page.evaluate("stop()")
    seen: int = client.page.evaluate("events.splice(0).at(-1).seq")
    client.follow(last=seen)
    events = client.until_done()
    assert events == (target.log(job["job_id"]) or [])[seen:]


def test_who_has_seen_the_end_is_told_so_and_stops(client: Client) -> None:
    """Given a page that has seen `done`, when it is answered 204, then it asks for the status and opens no more."""
    job = client.submit()
    client.follow()
    last = client.until_done()[-1]["seq"]
    client.page.evaluate("events.length = 0")
    with client.page.expect_response(lambda answer: answer.url == job["status_url"], timeout=PATIENCE_MS) as asked:
        client.follow(last=last)
    assert asked.value.json()["last_seq"] == last
    client.until("window.last.readyState === EventSource.CLOSED")
    assert client.page.evaluate("events") == []
    assert client.count("opened") == 2


def test_a_stream_process_that_dies_is_not_noticed(client: Client, target: Target) -> None:
    job = client.submit()
    client.follow()
    client.until("events.length >= 5")
    os.kill(target.facts()["pids"]["stream"], signal.SIGKILL)
    assert client.until_done() == target.log(job["job_id"])


def test_a_cancel_from_the_page_ends_the_stream(client: Client, target: Target) -> None:
    job = client.submit()
    client.follow()
    client.until("events.length >= 2")
    client.page.evaluate(
        "([url, token]) => fetch(url, { method: 'POST', headers: { Authorization: `Bearer ${token}` } })",
        [job["cancel_url"], target.token("user-1")],
    )
    events = client.until_done()
    assert events[-1]["data"]["status"] == "cancelled"
    assert events == target.log(job["job_id"])
