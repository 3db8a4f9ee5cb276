"""Who may call: bearer tokens, stream tickets, the owner.

* `administrators`: who may see and stop what is another's
* `jwks`: the issuer's public keys
* `jwt_auth`: bearer tokens
* `key_cache`: keys from elsewhere, kept and renewed
* `principal`: the errors of authentication, and the principal
* `stream_url`: addresses with tickets
* `ticket_keys`: the keys that sign them, from Secrets Manager
* `tickets`: stream tickets
"""
