"""The played internet of `make compat`, asked by the real client libraries' means: a proxy, TLS, HTTP."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from compat.internet import internet
from compat.model import Manner
from compat.services import Services

SCHEMA = {
    "type": "object",
    "properties": {"kind": {"enum": ["one", "two"]}, "more": {"$ref": "#/$defs/More"}, "optional": {"type": "string"}},
    "required": ["kind", "more"],
    "$defs": {"More": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("first", "Done")]
HUMAN = {"role": "user", "content": "What is it?"}
CALLED = [HUMAN, {"role": "assistant", "tool_calls": [{}]}, {"role": "tool", "content": "found"}]


@pytest.fixture
def services() -> Services:
    return Services(Manner(values={"n": 7}))


@pytest.fixture
def client(tmp_path: Path, services: Services) -> Iterator[httpx.Client]:
    with internet(tmp_path, services) as variables:
        context = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
        with httpx.Client(proxy=variables["HTTPS_PROXY"], verify=context, trust_env=False) as made:
            yield made


def ask(client: httpx.Client, url: str, body: dict[str, Any]) -> httpx.Response:
    return client.post(url, json={"model": "m", **body}).raise_for_status()


CHAT = "https://api.openai.com/v1/chat/completions"
RESPONSES = "https://api.openai.com/v1/responses"
MESSAGES = "https://api.anthropic.com/v1/messages"


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    texts = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(text) for text in texts if text != "[DONE]"]


def test_a_tool_is_called_first_and_then_answered(client: httpx.Client, services: Services) -> None:
    message = ask(client, CHAT, {"messages": [HUMAN], "tools": TOOLS}).json()["choices"][0]["message"]
    (call,) = message["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == (
        "first",
        {"kind": "one", "more": {"n": 7}},
    )
    message = ask(client, CHAT, {"messages": CALLED, "tools": TOOLS}).json()["choices"][0]["message"]
    assert message["content"] == "An answer to: What is it?" and "tool_calls" not in message
    assert [len(each["messages"]) for each in services.asked] == [1, 3]


def test_one_that_has_to_call_a_tool_calls_the_one_that_ends_it(client: httpx.Client) -> None:
    body = {"messages": CALLED, "tools": TOOLS, "tool_choice": "required"}
    message = ask(client, CHAT, body).json()["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "Done"


@pytest.mark.parametrize(
    ("url", "pieces"),
    [
        (CHAT, lambda line: [each["delta"].get("content") or "" for each in line["choices"]]),
        (RESPONSES, lambda line: [line["delta"]] if line["type"] == "response.output_text.delta" else []),
        (MESSAGES, lambda line: [line["delta"]["text"]] if line["type"] == "content_block_delta" else []),
    ],
)
def test_a_stream_has_the_answer_in_pieces(client: httpx.Client, url: str, pieces: Any) -> None:
    found = [piece for line in lines(ask(client, url, asked(url, HUMAN))) for piece in pieces(line) if piece]
    assert len(found) > 3 and "".join(found).strip() == "An answer to: What is it?"


def asked(url: str, human: dict[str, Any]) -> dict[str, Any]:
    return {"input" if url == RESPONSES else "messages": [human], "stream": True}


def test_an_object_of_a_schema_is_answered_where_one_is_wanted(client: httpx.Client) -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    message = ask(client, CHAT, {"messages": [HUMAN], "response_format": wanted}).json()["choices"][0]["message"]
    assert json.loads(message["content"]) == {"kind": "one", "more": {"n": 7}}
    tool = {"name": "Route", "input_schema": SCHEMA}
    forced = {"type": "tool", "name": "Route"}
    answer = ask(client, MESSAGES, {"messages": [HUMAN], "tools": [tool], "tool_choice": forced}).json()
    assert answer["content"][0]["input"] == {"kind": "one", "more": {"n": 7}}


def test_equal_texts_have_equal_embeddings(client: httpx.Client) -> None:
    body = {"input": ["tea", "tea", "rain"], "dimensions": 64}
    one, same, other = (
        each["embedding"] for each in ask(client, "https://api.openai.com/v1/embeddings", body).json()["data"]
    )
    assert one == same != other and len(one) == 64


def test_what_is_not_played_is_said_and_what_is_not_known_is_passed_on(client: httpx.Client) -> None:
    response = client.post("https://api.openai.com/v1/absent", json={})
    assert response.status_code == 404 and "api.openai.com/v1/absent is not played" in response.text
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(httpx.ProxyError, match="502"):
        client.get(f"https://127.0.0.1:{port}/")
