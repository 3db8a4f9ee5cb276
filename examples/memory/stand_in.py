"""A chat model without a network: "remember ..." and "what do you know?" become tool calls, all else a short answer."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult


class StandInModel(BaseChatModel):
    """The same messages always give the same answer."""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "StandInModel":
        """It knows its two tools by heart."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=_answer(messages))])


def _answer(messages: list[BaseMessage]) -> AIMessage:
    last = messages[-1]
    if isinstance(last, ToolMessage):
        return AIMessage(f"{last.content}.")
    text = last.text.strip()
    turn = sum(isinstance(message, HumanMessage) for message in messages)
    if text.lower().startswith("remember "):
        return _call("remember", {"fact": text[len("remember ") :].rstrip(".")}, turn)
    if "know" in text.lower():
        return _call("recall", {}, turn)
    return AIMessage(f"This is message {turn} of our conversation.")


def _call(name: str, args: dict[str, str], turn: int) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{turn}", "type": "tool_call"}])
