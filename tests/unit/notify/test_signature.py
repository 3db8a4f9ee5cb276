"""The signature of a webhook, against the example of the Standard Webhooks specification's own form."""

from __future__ import annotations

import base64
import hashlib
import hmac

from graphjobs.notify.signature import signed_headers


def test_what_is_signed_is_id_time_and_body() -> None:
    headers = signed_headers("job-1.completed", b'{"a":1}', kid="k1", key=b"secret", seconds=1_700_000_000)
    expected = hmac.new(b"secret", b'job-1.completed.1700000000.{"a":1}', hashlib.sha256).digest()
    assert headers == {
        "webhook-id": "job-1.completed",
        "webhook-timestamp": "1700000000",
        "webhook-signature": "v1," + base64.b64encode(expected).decode(),
        "webhook-key-id": "k1",
    }


def test_another_body_time_id_or_key_gives_another_signature() -> None:
    def signature(**changes: object) -> str:
        given: dict[str, object] = {"message_id": "a", "body": b"b", "kid": "k", "key": b"c", "seconds": 1} | changes
        return signed_headers(given.pop("message_id"), given.pop("body"), **given)["webhook-signature"]  # type: ignore[arg-type]

    all_of_them = {signature(), signature(body=b"x"), signature(seconds=2), signature(message_id="x")}
    assert len(all_of_them | {signature(key=b"x")}) == 5
