"""The prompts of the built-in graphs, and the one form in which passages travel inside them.

Passages stand in the system message and the user's words alone in the human message, so nothing that a user
writes can pose as a passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from starter.passage import Passage

_RULES = (
    "You answer customers of Maru Store, an online shop. Use only the passages below; where they do not "
    "answer, say plainly that you do not know. Answer in the customer's language and name the title you used."
)
_SECTION_RULES = (
    "You write one section of a report on the policies of Maru Store, an online shop, in the language of "
    "its heading. Use only the passages below. Write plain paragraphs, 150 words at most, and no heading."
)
_PASSAGE = re.compile(r'<passage title="(?P<title>[^"\n]*)">\n(?P<text>.*?)\n</passage>', re.DOTALL)


def required_query(value: object) -> str:
    """The question of a job's input, trimmed. Raises `ValueError` unless it is a string with some text."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("the input needs `query`, a string that is not empty")
    return value.strip()


def chat_messages(query: str, found: Iterable[Passage]) -> list[BaseMessage]:
    """What the chat model is asked: the rules, the passages (best first), and the question."""
    return [_system(_RULES, found), HumanMessage(query)]


def section_messages(query: str, heading: str, found: Iterable[Passage]) -> list[BaseMessage]:
    """What the model is asked for one section of the report on `query`."""
    return [_system(_SECTION_RULES, found), HumanMessage(f"{query}\n\n{heading}")]


def passages_in(messages: Sequence[BaseMessage]) -> list[tuple[str, str]]:
    """The (title, text) of each passage that the system messages carry, in order."""
    return [
        (match["title"], match["text"])
        for message in messages
        if message.type == "system"
        for match in _PASSAGE.finditer(message.text)
    ]


def _system(rules: str, found: Iterable[Passage]) -> SystemMessage:
    blocks = [f'<passage title="{each.title}">\n{each.text}\n</passage>' for each in found]
    return SystemMessage("\n\n".join([rules, *(blocks or ["(No passage was found.)"])]))
