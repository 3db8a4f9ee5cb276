"""Which model of Bedrock the worker may call: the one that is configured."""

from __future__ import annotations

import pytest

from infra.config import Config
from infra.permissions import bedrock_advice
from tests.infra.test_roles import INVOKE

MODEL = "arn:aws:bedrock:eu-west-1::foundation-model/m"


PROFILE = "arn:aws:bedrock:us-east-1:1:inference-profile/eu.maker.model-v1:0"


APPLICATION = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"


@pytest.mark.parametrize(
    ("model", "alone", "behind"),
    [
        ("openai:gpt", [], {}),
        ("bedrock_converse:maker.model-v1:0", ["arn:aws:bedrock:us-east-1::foundation-model/maker.model-v1:0"], {}),
        (
            "bedrock_converse:eu.maker.model-v1:0",
            [],
            {PROFILE: "arn:aws:bedrock:*::foundation-model/maker.model-v1:0"},
        ),
        (f"bedrock_converse:{PROFILE}", [], {PROFILE: "arn:aws:bedrock:*::foundation-model/maker.model-v1:0"}),
        (f"bedrock_converse:{APPLICATION}", [], {APPLICATION: "arn:aws:bedrock:*::foundation-model/*"}),
        (f"bedrock:{MODEL}", [MODEL], {}),
    ],
)
def test_the_worker_may_call_the_configured_model_and_no_other(
    model: str, alone: list[str], behind: dict[str, str]
) -> None:
    """A model behind a profile only through that profile; langchain-aws asks a profile which model it is of."""
    from infra.statements import bedrock_statements

    statements = [item.to_statement_json() for item in bedrock_statements(Config(model=model), "aws", "us-east-1", "1")]
    expected: list[dict[str, object]] = [{"Effect": "Allow", "Action": list(INVOKE), "Resource": arn} for arn in alone]
    for profile, models in behind.items():
        expected += [
            {"Effect": "Allow", "Action": [*INVOKE, "bedrock:GetInferenceProfile"], "Resource": profile},
            {
                "Effect": "Allow",
                "Action": list(INVOKE),
                "Resource": models,
                "Condition": {"StringEquals": {"bedrock:InferenceProfileArn": profile}},
            },
        ]
    assert statements == expected


@pytest.mark.parametrize(
    ("model", "advised"),
    [
        ("bedrock_converse:anthropic.claude-x-v1:0", True),
        ("bedrock_converse:us.anthropic.claude-x-v1:0", False),
        ("bedrock_converse:amazon.nova-lite-v1:0", False),
        ("anthropic:claude-x", False),
        ("", False),
    ],
)
def test_a_model_that_is_served_by_a_profile_only_is_spoken_of_at_synthesis(model: str, advised: bool) -> None:
    assert (bedrock_advice(model) is not None) is advised
