"""Which models and nodes speak: a callback handler that tells pieces of a message from whole ones.

LangGraph's handler for ``stream_mode="messages"``, with three differences: a message is told whole once its last piece
has come, all pieces of a message have one id, which is that of the message in the state, and tries of a task are noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol
from uuid import UUID, uuid4

from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from graphjobs.worker.langgraph_compat import Namespace, Part, StreamMessagesHandler, graph_namespace, namespace_of

PIECE: Final = "messages"
"""A piece of a message, as a model streams it."""
ENDED: Final = "messages/ended"
"""The whole message whose pieces have come."""
SPOKEN: Final = "messages/spoken"
"""A whole message of a model that does not stream."""
RETURNED: Final = "messages/returned"
"""A whole message that a node returned and no model has streamed."""

Meta = tuple[Namespace, dict[str, Any]]


class Tries(Protocol):
    """Who wants to know when a node begins, and how it went."""

    def began(self, run_id: UUID, namespace: Namespace, graph: Namespace) -> None:
        """A node of `graph`, or something of its name within it, begins; before anything of it is streamed."""

    def failed(self, run_id: UUID) -> None:
        """What began under `run_id` has raised."""

    def ended(self, run_id: UUID) -> None:
        """What began under `run_id` has returned."""


class MessageHandler(StreamMessagesHandler):
    """Puts ``(namespace of the graph, one of the modes above, (message, metadata))`` into `stream`."""

    raise_error = True  # else an event that could not be written would be missing without a word

    def __init__(self, stream: Callable[[Part], None], tries: Tries, *, subgraphs: bool) -> None:
        """With `subgraphs`, those speak as well; without, only what their nodes in the graph itself return of them."""
        # LangGraph takes a handler without subgraphs off each graph that it runs, since it then adds its own.
        super().__init__(stream, subgraphs=True)
        self._within = subgraphs
        self._tries = tries
        self._named: dict[UUID, str] = {}
        """The id of the message that a model is streaming; each entry by the thread that runs the model."""
        self._told: set[UUID] = set()
        """Models of which a piece with content has been told; each entry by the same thread."""

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A model begins; outside of a task, there is nothing to tell."""
        if self._hears(metadata):
            super().on_chat_model_start(serialized, messages, run_id=run_id, metadata=metadata, **kwargs)

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, run_id: UUID, **kwargs: Any) -> Any:
        """A piece has come."""
        if isinstance(chunk, ChatGenerationChunk) and run_id in self.metadata:
            self._name(run_id, chunk.message)
            super().on_llm_new_token(token, chunk=chunk, run_id=run_id, **kwargs)

    def _name(self, run_id: UUID, message: Any) -> None:
        """Give the piece the id that its message has had so far.

        The id of a provider comes with one of the pieces, LangChain's with the others; the state has the provider's.
        One that comes after pieces with content were told gives way: their id can be changed no more.
        """
        known = self._named.get(run_id)
        if known is None or (run_id not in self._told and message.id and not message.id.startswith("lc_")):
            known = self._named[run_id] = message.id or str(uuid4())
        message.id = known
        if run_id not in self._told and (message.content or message.additional_kwargs or message.tool_call_chunks):
            self._told.add(run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> Any:
        """The model has ended: tell its message whole."""
        meta = self.metadata.pop(run_id, None)
        named = self._forget(run_id)
        first = response.generations[0][0] if response.generations and response.generations[0] else None
        if meta is None or not isinstance(first, ChatGeneration):
            return
        if named is not None:
            self.stream((meta[0], ENDED, (first.message, meta[1])))
        else:
            self._whole(meta, first.message, SPOKEN)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """The model has failed."""
        self._forget(run_id)
        super().on_llm_error(error, run_id=run_id, **kwargs)

    def _forget(self, run_id: UUID) -> str | None:
        self._told.discard(run_id)
        return self._named.pop(run_id, None)

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """A node begins, or something within one, or the graph itself, which is in no task."""
        if metadata is None or not self._hears(metadata):
            return
        if kwargs.get("name") == metadata.get("langgraph_node"):
            self._tries.began(run_id, namespace_of(metadata), graph_namespace(metadata))
        super().on_chain_start(serialized, inputs, run_id=run_id, metadata=metadata, **kwargs)

    def on_chain_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> Any:  # type: ignore[override]
        """A node has returned."""
        super().on_chain_end(response, run_id=run_id, **kwargs)
        self._tries.ended(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> Any:
        """A node has raised."""
        super().on_chain_error(error, run_id=run_id, **kwargs)
        self._tries.failed(run_id)

    def _hears(self, metadata: dict[str, Any] | None) -> bool:
        """Whether what begins is in a task, and that in a graph that is listened to."""
        return bool(namespace_of(metadata)) and (self._within or not graph_namespace(metadata or {}))

    def _emit(self, meta: Meta, message: BaseMessage, *, dedupe: bool = False) -> None:
        # LangGraph's `dedupe` is for what a node returned: the messages of its models are among it.
        if dedupe:
            self._whole(meta, message, RETURNED)
        else:
            self.seen.add(message.id or "")
            self.stream((meta[0], PIECE, (message, meta[1])))

    def _whole(self, meta: Meta, message: BaseMessage, mode: str) -> None:
        if message.id in self.seen:
            return
        if message.id is None:
            message.id = str(uuid4())
        self.seen.add(message.id)
        self.stream((meta[0], mode, (message, meta[1])))
