"""Which projects, and what each of their graphs is asked.

A graph that is not named gets one human message. What is written here is about the questions: of the projects
nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from compat.model import Manner

QUESTION: Final = "What is a lease, and what is a fence?"
EMAIL: Final = {
    "author": "Ann <ann@example.com>",
    "to": "Boris <boris@example.com>",
    "subject": "A question about the API",
    "email_thread": "Hi Boris, which endpoint lists jobs? Ann",
}
GMAIL: Final = {"from": EMAIL["author"], **EMAIL, "body": EMAIL["email_thread"], "id": "1"}
ACCEPT: Final = [{"type": "accept", "args": None}]


def says(text: str = QUESTION, *, given: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The body of a job with one human message, and what else is `given` to the graph."""
    return {"input": {"messages": [{"role": "user", "content": text}], **(given or {})}, **more}


@dataclass(frozen=True, slots=True)
class Job:
    """One job, and what has to come of it.

    Attributes:
        body: of ``POST /jobs``, without the graph.
        answers: to the questions that it asks, one after the other; each is the `resume` of a further job.
        status: of the last job.
        result: a text that its result, or its error, has.
        model_saw: a text that the model was sent.
        note: said in the table.
    """

    body: Mapping[str, Any] = field(default_factory=says)
    answers: Sequence[Any] = ()
    status: str = "completed"
    result: str = "An answer to"
    model_saw: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Project:
    """A public project.

    Attributes:
        repository: ``owner/name`` on GitHub.
        jobs: by the names of its graphs, the jobs of each in their order.
        manner: how the model speaks.
    """

    repository: str
    jobs: Mapping[str, Sequence[Job]] = field(default_factory=dict)
    manner: Manner = field(default_factory=Manner)

    @property
    def name(self) -> str:
        """The repository's own name."""
        return self.repository.partition("/")[2]


PROJECTS: Final = (
    Project(
        "langchain-ai/react-agent",
        jobs={"agent": [Job(), Job(says(context={"model": "openai/gpt-4.1"}), note="context.model")]},
    ),
    Project(
        "langchain-ai/memory-agent",
        jobs={
            "agent": [
                Job(says("Remember that I like tea.", context={"user_id": "anna"})),
                Job(
                    says("tea?", context={"user_id": "anna"}),
                    model_saw="some content', 'context': 'some context'} (similarity: 0.",
                    note="finds it by meaning",
                ),
                Job(says("tea?", context={"user_id": "boris"}), note="another user"),
            ]
        },
    ),
    Project("langchain-ai/open_deep_research", manner=Manner(tools=("ConductResearch", "tavily_search"))),
    Project(
        "langchain-ai/langgraph-101",
        jobs={
            "Music Store Invoice Subagent": [Job(says(given={"customer_id": "1"}))],
            "Music Store Supervisor": [Job(says(given={"customer_id": "1"}))],
            "Music Store Supervisor with Verification": [Job(answers=["My number is 1."], note="asks who it is")],
            "Music Store Supervisor with Memory and Verification": [
                Job(says("My number is 1."), note="the store's profile")
            ],
            "Email Agent": [Job({"input": {"email_input": EMAIL}}, result="Email sent to")],
            "Deep Agent": [
                Job(says("Write a file."), answers=[{"decisions": [{"type": "approve"}]}], note="a person approves")
            ],
        },
        manner=Manner(
            tools=("write_file", "write_email"),
            values={
                "customer_id": "1",
                "identifier": "1",
                "invoice_id": "1",
                "classification": "respond",
                "file_path": "/memories/notes.md",
            },
        ),
    ),
    Project(
        "langchain-ai/agents-from-scratch",
        jobs={
            "langgraph101": [Job(result="Email sent to")],
            "email_assistant": [Job({"input": {"email_input": EMAIL}}, result="Email sent to")],
            "email_assistant_hitl": [
                Job({"input": {"email_input": EMAIL}}, [ACCEPT], result="Email sent to", note="a person accepts")
            ],
            "email_assistant_hitl_memory": [
                Job({"input": {"email_input": EMAIL}}, [ACCEPT], result="Email sent to", note="a person accepts"),
                Job(
                    {"input": {"email_input": EMAIL}},
                    [[{"type": "response", "args": "Shorter, please."}], ACCEPT],
                    result="Shorter, please.",
                    note="a person objects; into the store",
                ),
            ],
            "email_assistant_hitl_memory_gmail": [
                Job(
                    {"input": {"email_input": GMAIL}},
                    [[{"type": "ignore"}]],
                    result="",
                    note="a person ignores it",
                )
            ],
            "cron": [Job({"input": {"email": "ann@example.com"}}, result="", note="without Gmail's credentials")],
        },
        manner=Manner(
            tools=("send_email_tool", "write_email"), values={"classification": "respond", "content": "The first one."}
        ),
    ),
)
