"""The canary: asks for a job as a client does, once in five minutes, and follows it to its end.

* `handler`: the schedule's event; wiring
* `round_trip`: one job, by API and stream, with a connection that is cut
* `token`: an access token for the canary
"""
