"""The chat graph on `GRAPHJOBS_MODEL=bedrock_converse:...`: the real client of langchain-aws and botocore, on
the wire format of Bedrock. Only the model behind it is a script.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from starter.chat import ChatInput, graph
from starter.passage import passage

from tests.integration.converse_server import Script, converse_server, event

MODEL_ID = "anthropic.claude-3-5-sonnet-20240620-v1:0"
DELTAS = ["환불은", " 14일", " 안에", " 됩니다.", " 😀"]
QUERY: ChatInput = {"query": "환불 정책 알려줘"}

Bedrock = Callable[[Script], str]


@pytest.fixture
def bedrock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bedrock]:
    """Starts a server for a script, points the AWS clients to it and nowhere else; gives its URL."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "GRAPHJOBS_MODEL": f"bedrock_converse:{MODEL_ID}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "LANGSMITH_TRACING": "false",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as servers:

        def start(script: Script) -> str:
            url = servers.enter_context(converse_server(script))
            monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", url)
            return url

        yield start


def test_tokens_arrive_in_order_while_the_model_still_writes(bedrock: Bedrock) -> None:
    script = Script(DELTAS)
    bedrock(script)
    tokens: list[str] = []
    sent_at_first_token: list[str] = []
    answers: list[str] = []

    async def follow() -> None:
        async for part in graph.astream(QUERY, version="v2", stream_mode=["messages", "updates"]):
            if part["type"] == "updates":
                answers.extend(output["answer"] for node, output in part["data"].items() if node == "answer")
            elif part["type"] == "messages" and (text := part["data"][0].text):
                if not tokens:
                    sent_at_first_token.extend(script.sent)
                    script.release.set()  # until now the server holds the rest back
                tokens.append(text)

    asyncio.run(follow())

    assert sent_at_first_token == DELTAS[:1]
    assert tokens == DELTAS
    assert answers == ["".join(DELTAS)]


def test_the_model_is_asked_with_the_question_and_the_passages(bedrock: Bedrock) -> None:
    script = Script(DELTAS[:1])
    bedrock(script)
    asyncio.run(graph.ainvoke(QUERY, stream_mode="messages", version="v2"))

    ((model_id, request),) = script.requests
    assert model_id == MODEL_ID
    assert request["messages"] == [{"role": "user", "content": [{"text": QUERY["query"]}]}]
    assert passage("ko/refund").text in request["system"][0]["text"]


@pytest.mark.parametrize(
    ("script", "received"),
    [
        pytest.param(Script(DELTAS, refuse=True), [], id="429 instead of a stream"),
        pytest.param(Script(DELTAS, break_after=1), DELTAS[:1], id="exception within the stream"),
    ],
)
def test_throttling_is_raised(bedrock: Bedrock, script: Script, received: list[str]) -> None:
    bedrock(script)
    tokens: list[str] = []

    async def follow() -> None:
        async for part in graph.astream(QUERY, version="v2", stream_mode=["messages"]):
            if part["type"] == "messages":
                tokens.append(part["data"][0].text)

    with pytest.raises(ClientError) as raised:
        asyncio.run(follow())
    assert raised.value.response["Error"]["Code"].casefold() == "throttlingexception"
    assert len(script.requests) == 1
    assert [token for token in tokens if token] == received


def test_the_server_refuses_a_request_that_is_not_signed(bedrock: Bedrock) -> None:
    script = Script(DELTAS)
    url = f"{bedrock(script)}/model/{MODEL_ID}/converse-stream"
    with httpx.Client(trust_env=False) as client:
        answer = client.post(url, json={"messages": []}, timeout=10)
    assert answer.status_code == 403
    assert script.requests == []


def test_the_encoding_is_what_botocore_decodes() -> None:
    message = event("contentBlockDelta", {"delta": {"text": "환불"}})
    buffer = EventStreamBuffer()
    for start in range(0, len(message), 5):
        buffer.add_data(message[start : start + 5])
    (decoded,) = list(buffer)
    headers: object = decoded.headers
    assert headers == {
        ":message-type": "event",
        ":event-type": "contentBlockDelta",
        ":content-type": "application/json",
    }
    assert decoded.payload.decode() == '{"delta": {"text": "환불"}}'
