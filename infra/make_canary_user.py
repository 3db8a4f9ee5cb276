"""Custom resource: the canary's user in the user pool, with the password in its secret. Gone with the resource.

Runs on what Lambda's runtime brings along. Safe to repeat.
"""

import json
from contextlib import suppress
from typing import Any

import boto3

from infra.custom_resource import answered


def handler(event: dict[str, Any], context: Any) -> None:
    asked = event["ResourceProperties"]
    act = remove if event["RequestType"] == "Delete" else make
    answered(event, context, lambda: act(boto3.client, asked["UserPool"], asked["Secret"]))


def make(client: Any, pool: str, secret: str) -> None:
    found = json.loads(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    cognito, user = client("cognito-idp"), {"UserPoolId": pool, "Username": found["username"]}
    attributes = [{"Name": "email", "Value": found["username"]}, {"Name": "email_verified", "Value": "true"}]
    # There already: an earlier try has made it.
    with suppress(cognito.exceptions.UsernameExistsException):
        cognito.admin_create_user(**user, MessageAction="SUPPRESS", UserAttributes=attributes)
    cognito.admin_set_user_password(**user, Password=found["password"], Permanent=True)


def remove(client: Any, pool: str, secret: str) -> None:
    found = json.loads(client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    cognito = client("cognito-idp")
    with suppress(cognito.exceptions.UserNotFoundException, cognito.exceptions.ResourceNotFoundException):
        cognito.admin_delete_user(UserPoolId=pool, Username=found["username"])
