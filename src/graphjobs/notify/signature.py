"""How a webhook is signed: the headers of Standard Webhooks (https://www.standardwebhooks.com), and the key's name.

The signature is HMAC-SHA256 over ``<id>.<timestamp>.<body>``, so neither the body nor its time can be changed. The
receiver refuses a timestamp that is more than some minutes away, and an id that it has seen.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
KEY_ID: Final = "webhook-key-id"


def signed_headers(message_id: str, body: bytes, *, kid: str, key: bytes, seconds: int) -> dict[str, str]:
    """The headers that go with `body`, sent at the epoch second `seconds` and signed with the key named `kid`."""
    signed = f"{message_id}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {ID: message_id, TIMESTAMP: str(seconds), SIGNATURE: f"v1,{digest}", KEY_ID: kid}
