"""An administrator by a claim: a token of `graphjobs token --claim`, for the command line and both clients."""

from __future__ import annotations

import asyncio
import json

import pytest

from graphjobs import AsyncClient, Client
from graphjobs.client.errors import ApiError
from tests.e2e.test_cli import Cli
from tests.e2e.user import User, eventually

pytestmark = pytest.mark.e2e


@pytest.fixture
def administrator(user: User) -> Cli:
    """The command line of somebody whose token has the claim, and who owns no job."""
    cli = Cli(user)
    cli.environ["GRAPHJOBS_STATE_DIR"] = str(user.target.need_state_dir())
    del cli.environ["GRAPHJOBS_TOKEN"]
    token = cli("token", "--user", "ann", "--claim", "scope=openid graphjobs/admin").strip()
    user.target.secrets.add(token)
    cli.environ["GRAPHJOBS_TOKEN"] = token
    return cli


def test_an_administrator_lists_follows_cancels_and_deletes_what_is_anothers(
    administrator: Cli, user: User, stranger: User
) -> None:
    """Given a token with the claim, when it is used for jobs of others, then each use works and is written down."""
    user.target.need_graph("nap")
    done = user.start(query="hello")
    events = user.finished(done)
    running = user.start(graph="nap", input={"name": "long", "seconds": 60})
    eventually(lambda: user.status(running)["status"] == "running", "it runs")
    theirs = stranger.start(query="hello")

    [page] = administrator.lines("list", "--owner", user.name, "--limit", "2")
    assert [job["job_id"] for job in page["jobs"]] == [running, done]
    assert done in administrator("list", "--owner", user.name, "--limit", "1", "--cursor", page_after(administrator))
    assert theirs in administrator("list", "--owner", stranger.name)
    [own] = administrator.lines("list")
    assert own["jobs"] == []

    [status] = administrator.lines("status", done)
    assert status == user.status(done)
    assert administrator.lines("stream", done) == events
    [cancelled] = administrator.lines("cancel", running)
    assert cancelled["status"] in ("cancelling", "cancelled")
    assert user.follow(running)[-1]["data"]["status"] == "cancelled"
    administrator("delete", done)
    assert user.call("GET", f"/jobs/{done}/status").status_code == 404

    used = {
        (line["action"], line.get("job_id") or line["owner"])
        for text in user.target.written().values()
        for line in (json.loads(each) for each in text.splitlines() if '"message":"administrator"' in each)
        if line["administrator"] == "ann"
    }
    assert used >= {
        ("list", user.name),
        ("list", stranger.name),
        ("status", done),
        ("stream", done),
        ("cancel", running),
        ("delete", done),
    }


def page_after(administrator: Cli) -> str:
    """Where the first page of one job ends."""
    [page] = administrator.lines("list", "--owner", "user-1", "--limit", "1")
    return str(page["next_cursor"])


def test_both_clients_list_for_an_administrator_and_nobody_else(administrator: Cli, user: User, stranger: User) -> None:
    job_id = stranger.start(query="hello")
    target = user.target

    async def listed() -> str:
        async with AsyncClient(target.api_url, administrator.environ["GRAPHJOBS_TOKEN"]) as client:
            return (await client.list(owner=stranger.name, limit=1))["jobs"][0]["job_id"]

    with Client(target.api_url, administrator.environ["GRAPHJOBS_TOKEN"]) as client:
        assert client.list(owner=stranger.name, limit=1)["jobs"][0]["job_id"] == job_id
    assert asyncio.run(listed()) == job_id

    with Client(target.api_url, target.token(user.name)) as client:
        with pytest.raises(ApiError, match="owner_not_found") as refused:
            client.list(owner=stranger.name)
        assert refused.value.status == 404
        assert client.list(owner=user.name) == client.list()
    assert Cli(user)("list", "--owner", stranger.name, code=1) == ""


def test_a_claim_of_another_value_makes_nobody_an_administrator(administrator: Cli, user: User) -> None:
    del administrator.environ["GRAPHJOBS_TOKEN"]
    for claim in ("scope=graphjobs/administrator", "scope=admin", "role=graphjobs/admin"):
        token = administrator("token", "--user", "bob", "--claim", claim).strip()
        user.target.secrets.add(token)
        administrator.environ["GRAPHJOBS_TOKEN"] = token
        assert administrator("list", "--owner", user.name, code=1) == ""
        del administrator.environ["GRAPHJOBS_TOKEN"]
