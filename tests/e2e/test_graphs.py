"""What the nodes of a graph do, as events."""

from __future__ import annotations

import pytest

from tests.e2e.user import User

pytestmark = pytest.mark.e2e


def test_a_node_that_raises_fails_its_job_and_tells_no_client_why(user: User) -> None:
    """Given a node that raises, then what it wrote before is kept, the code is stable and its text stays inside."""
    user.target.need_graph("failing")
    job_id = user.start(graph="failing", input={"name": "f"})
    events = user.finished(job_id)
    assert [event["type"] for event in events] == ["metadata", "ran", "error", "done"]
    error = events[2]["data"]
    assert (error["code"], error["type"], error["where"]) == ("graph_error", "RuntimeError", "give_up")
    assert events[3]["data"]["status"] == "failed"
    status = user.status(job_id)
    assert (status["status"], status["error"]["code"]) == ("failed", "graph_error")
    assert "hunter2" not in str(events) + str(status)


def test_a_subgraph_names_its_nodes_by_their_path(user: User) -> None:
    """Given a graph within a graph, then events of both come, in order, with the path of their node."""
    user.target.need_graph("nested")
    events = user.finished(user.start(graph="nested", input={"name": "n", "count": 10, "pause": 0}))
    nodes = [event["data"]["node"] for event in events if event["type"] == "update"]
    assert nodes == ["outer/run_once", "outer/speak", "outer"]
    tokens = [event["data"] for event in events if event["type"] == "token"]
    assert "".join(token["text"] for token in tokens) == "가나다라마바사아자차"
    assert {token["node"] for token in tokens} == {"outer/speak"}
    assert events[1]["type"] == "ran"
    assert events[-1]["data"]["result"]["answer"] == "가나다라마바사아자차"


def test_a_long_stream_of_tokens_arrives_whole(user: User) -> None:
    """Given 2,000 tokens without a pause, then every one of them arrives once, in order."""
    user.target.need_graph("talk")
    events = user.finished(user.start(graph="talk", input={"count": 2000, "pause": 0}))
    text = "".join(event["data"]["text"] for event in events if event["type"] == "token")
    assert text == ("가나다라마바사아자차카타파하 " * 134)[:2000]
    assert events[-1]["data"]["result"]["answer"] == text


def test_a_job_past_its_timeout_ends_as_timed_out(user: User) -> None:
    """Given work that goes on past the job's timeout, then the job fails at that, not when the work is done."""
    job_id = user.start(query="hello", graph="report", input={"delay_seconds": 300}, timeout_seconds=1)
    events = user.finished(job_id)
    assert events[-1]["data"]["status"] == "failed"
    assert events[-1]["data"]["error"]["code"] == "timed_out"
