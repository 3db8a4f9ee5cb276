from __future__ import annotations

import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from pydantic import BaseModel
from starter.model import ModelError, chat_model
from starter.offline_model import OfflineChatModel

STARTER = Path(__file__).parents[3] / "examples" / "starter"


@pytest.mark.parametrize("name", ["", "  "])
def test_without_a_name_the_model_is_offline(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GRAPHJOBS_MODEL", name)
    assert isinstance(chat_model(), OfflineChatModel)


def test_tokens_are_20_ms_apart_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHJOBS_OFFLINE_TOKEN_MS")
    assert chat_model() == OfflineChatModel(token_seconds=0.02)
    monkeypatch.setenv("GRAPHJOBS_OFFLINE_TOKEN_MS", "2.5")
    assert chat_model() == OfflineChatModel(token_seconds=0.0025)


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "10001", ""])
def test_a_wrong_pause_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("GRAPHJOBS_OFFLINE_TOKEN_MS", value)
    with pytest.raises(ModelError, match="GRAPHJOBS_OFFLINE_TOKEN_MS"):
        chat_model()


@pytest.mark.parametrize("name", ["nonsense", "no_such_provider:model", "bedrock_converse:", "openai:gpt-4o"])
def test_a_wrong_name_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("GRAPHJOBS_MODEL", name)
    with pytest.raises(ModelError) as raised:
        chat_model()
    message = str(raised.value)
    assert message.startswith(f"GRAPHJOBS_MODEL={name!r} cannot be used: ")
    assert len(message.splitlines()) == 1


def test_a_refused_key_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client(BaseModel):
        api_key: int

    given = {"api_key": "hunter2"}
    monkeypatch.setenv("GRAPHJOBS_MODEL", "provider:model")
    monkeypatch.setattr("langchain.chat_models.init_chat_model", lambda _: Client.model_validate(given))
    with pytest.raises(ModelError) as raised:
        chat_model()
    shown = "".join(traceback.format_exception(raised.value))
    assert "api_key Input should be a valid integer" in shown
    assert "hunter2" not in shown


def test_the_graphs_import_no_provider() -> None:
    heavy = "{'langchain', 'langchain_aws', 'boto3', 'botocore'} & set(sys.modules)"
    code = f"import sys, starter.chat, starter.report; print(sorted({heavy}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=STARTER, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
