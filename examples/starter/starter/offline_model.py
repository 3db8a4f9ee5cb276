"""A chat model that needs no network and no key: it quotes the best passage in its prompt, token by token.

It invents nothing, says that it is the offline model, and says so when it was given no passage. The same
prompt always gives the same tokens.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from starter.passage import Language, language_of
from starter.prompt import passages_in

# A token is a Latin word, or at most two syllables of Hangul, with the space before it.
_TOKEN = re.compile(r"\s*(?:[가-힣]{1,2}|[^\s가-힣]+)|\s+")

_QUOTE: dict[Language, str] = {
    "ko": (
        "「{title}」에서 찾은 내용입니다.\n\n{text}\n\n(오프라인 모델의 답변: 지식 베이스의 글을 그대로 옮겼습니다.)"
    ),
    "en": (
        'From "{title}":\n\n{text}\n\n(Answered by the offline model, which quotes the knowledge base word for word.)'
    ),
}
_NOTHING: dict[Language, str] = {
    "ko": "지식 베이스에서 이 질문에 관한 내용을 찾지 못했습니다. (오프라인 모델의 답변)",
    "en": "I found nothing about this in the knowledge base. (Answered by the offline model.)",
}


class OfflineChatModel(BaseChatModel):
    """Answers in the language of the last human message. `token_seconds` is the pause between two tokens."""

    token_seconds: float = Field(default=0.02, ge=0)

    @property
    def _llm_type(self) -> str:
        return "offline"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "offline"}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(_reply(messages)))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for index, chunk in enumerate(_chunks(messages)):
            if index:
                time.sleep(self.token_seconds)
            if run_manager:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for index, chunk in enumerate(_chunks(messages)):
            if index:
                await asyncio.sleep(self.token_seconds)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk


def _reply(messages: list[BaseMessage]) -> str:
    questions = [message.text for message in messages if message.type == "human"]
    language = language_of(questions[-1]) if questions else "en"
    found = passages_in(messages)
    if not found:
        return _NOTHING[language]
    title, text = found[0]
    return _QUOTE[language].format(title=title, text=text)


def _chunks(messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    tokens = _TOKEN.findall(_reply(messages))
    for left, token in zip(range(len(tokens) - 1, -1, -1), tokens, strict=True):
        # Marking the last one spares a stream the empty closing chunk that langchain-core adds otherwise.
        message = AIMessageChunk(content=token, chunk_position=None if left else "last")
        yield ChatGenerationChunk(message=message)
