"""The embeddings that ``store.index`` of ``langgraph.json`` names: ``provider:model``, or something in a file."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from langgraph.store.base import ensure_embeddings

from graphjobs.core.langgraph_json import GraphTarget
from graphjobs.worker.load_error import GraphLoadError, remedy, said
from graphjobs.worker.user_module import import_target

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings


def load_embeddings(embed: str, root: Path) -> Embeddings:
    """What `embed` names: in a file of the project at `root`, or a model of one of LangChain's providers.

    The file's attribute is a function of texts that gives vectors, sync or async, or embeddings of LangChain's.

    Raises:
        GraphLoadError: it cannot be had; one line says why.
    """
    try:
        return _in_file(embed, root) if ".py:" in embed else _of_provider(embed)
    except (Exception, SystemExit) as error:  # a user's module may raise anything, and a provider's package too
        text = f"store.index: the embeddings {embed} cannot be had: {said(error, root)}. {remedy(error, root)}"
        raise GraphLoadError(text.strip()) from error


def _in_file(embed: str, root: Path) -> Embeddings:
    where, _, attribute = embed.rpartition(":")
    found = getattr(import_target(GraphTarget("store.index", where, attribute), root), attribute)
    if isinstance(found, str) or not (callable(found) or hasattr(found, "embed_documents")):
        raise TypeError(
            f"{attribute} is a {type(found).__name__}, not a function of texts or embeddings of LangChain's"
        )
    return ensure_embeddings(found)


def _of_provider(embed: str) -> Embeddings:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The function `init_embeddings` is in beta")
        return ensure_embeddings(embed)
