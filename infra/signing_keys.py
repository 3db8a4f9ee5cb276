"""A secret with keys that sign: ``{"current": "<kid>", "<kid>": "<key>", ...}``, the first key made by AWS."""

from __future__ import annotations

import json
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.findings import accept

FIRST_KEY: Final = "k1"


def signing_keys(
    scope: Construct, id: str, what: str, removal: RemovalPolicy, key: kms.IKey | None
) -> secretsmanager.Secret:
    """The secret of the keys that sign `what` (a plural noun)."""
    secret = secretsmanager.Secret(
        scope,
        id,
        description=f'Keys that sign {what}: {{"current": "<kid>", "<kid>": "<key>", ...}}',
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"current": FIRST_KEY}),
            generate_string_key=FIRST_KEY,
            password_length=64,
            exclude_punctuation=True,
        ),
        encryption_key=key,
        removal_policy=removal,
    )
    accept(
        secret,
        "AwsSolutions-SMG4",
        "Rotation needs the old key to stay valid until the last signature made with it has expired; "
        "docs/OPERATIONS.md has the steps.",
    )
    return secret
