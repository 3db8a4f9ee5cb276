"""HTTP, whatever serves it: problem+json, server-sent events, JSON forms, the resolver of the API functions.

* `access`: whose job it is
* `job_answer`: the JSON forms of a row
* `problem`: problem+json
* `public_url`: addresses that others give us to call
* `resolver`: the resolver of the API functions; every failure as problem+json
* `sse`: the wire format
"""
