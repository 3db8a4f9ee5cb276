"""The HTTP client. It needs httpx alone, and what does no HTTP (`answers`, `errors`, `retry`) not even that.

Its names are imported from `graphjobs`.

* `answering`: the answer to an interrupted job
* `answers`: what goes in and comes out, as types
* `async_client`: `AsyncClient`, the same for asyncio
* `authorities`: the certificate authorities that are trusted
* `calls`: each call as a request that is still to be sent
* `client`: `Client`: one method per call
* `errors`: the error tree
* `event_stream`: following over many connections, without I/O
* `exchange`: token and failures of one exchange
* `retry`: backoff
* `sse`: parsing server-sent events
"""
