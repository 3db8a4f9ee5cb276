"""Large bodies in S3: a slot whose body is too large for an item is stored here first, under its nonce.

Objects are written before the slot that names them and never changed, so a reader that has seen the slot can
always read them. They expire by the bucket's lifecycle rule.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphjobs.core.slot import CorruptSlot, Slot

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class PayloadStore:
    """Bodies of slots in one S3 bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def save(self, slot: Slot) -> None:
        """Store the body of `slot` under its object key; the same bytes again on a retry.

        Raises:
            ClientError, BotoCoreError: as S3 answers.
        """
        if slot.object_key is None:
            return
        content_type = "application/zlib" if isinstance(slot.body, bytes) else "application/json"
        self._client.put_object(
            Bucket=self._bucket, Key=slot.object_key, Body=slot.stored_bytes, ContentType=content_type
        )

    def inlined(self, slot: Slot) -> Slot:
        """`slot` with its body, fetched if it is in S3.

        Raises:
            ClientError, BotoCoreError: as S3 answers.
            CorruptSlot: what is there is no body.
        """
        if slot.object_key is None or slot.body:
            return slot
        answer = self._client.get_object(Bucket=self._bucket, Key=slot.object_key)
        body = answer["Body"].read()
        if answer["ContentType"] == "application/zlib":
            return replace(slot, body=body)
        try:
            return replace(slot, body=body.decode())
        except UnicodeDecodeError as error:
            raise CorruptSlot(f"The body of slot {slot.seq} of {slot.job_id} is no text.") from error
