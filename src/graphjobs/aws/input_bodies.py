"""Inputs that are too large for an item of the Jobs table: each an object in S3, written before the job is.

A job's input item names its object, so whoever has read the item can read the object. Objects expire by the bucket's
rule, as do those of a create that was refused or repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "inputs"
"""Of the objects in the payload bucket."""

INLINE_BYTES: Final = 200 * 1024
"""The longest text that goes into the item itself: half of what DynamoDB takes."""


class InputBodies:
    """Texts in one S3 bucket; the client is made when the first is needed, which for most jobs is never."""

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._make_client = client
        self._bucket = bucket

    @cached_property
    def _client(self) -> S3Client:
        return self._make_client()

    def save(self, job_id: str, text: str) -> str:
        """Store `text`; returns the key of its object.

        Raises:
            ClientError, BotoCoreError: as S3 answers.
        """
        key = f"{PREFIX}/{job_id}.json"
        self._client.put_object(Bucket=self._bucket, Key=key, Body=text.encode(), ContentType="application/json")
        return key

    def load(self, key: str) -> str:
        """The text under `key`.

        Raises:
            ClientError, BotoCoreError: as S3 answers.
        """
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
