"""HTTP, whatever serves it: problem+json, server-sent events, JSON forms, the resolver of the API functions.

* `access`: whose job or thread it is
* `job_answer`: the JSON forms of a row
* `json_body`: bodies that are none
* `problem`: problem+json
* `public_url`: addresses that others give us to call
* `resolver`: the resolver of the API functions; every failure as problem+json
* `sse`: the wire format
* `thread_answer`: LangGraph's JSON forms of threads and states
"""
