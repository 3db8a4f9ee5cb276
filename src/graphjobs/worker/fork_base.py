"""What a process has imported that workers are forked from: the worker, and what the graphs of most projects import."""

import langchain_core.language_models.chat_models  # noqa: F401

import graphjobs.worker.handler  # noqa: F401
