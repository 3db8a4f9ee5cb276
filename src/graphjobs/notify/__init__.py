"""Telling others of a job's status: events on EventBridge, and webhooks. Off unless a deployment asks for it.

* `change`: a change of status, from a record of the Jobs table's stream
* `deliver`: the function that delivers webhooks, from a queue of its own
* `publish`: the function that the table's stream calls
* `sending`: one HTTPS request to an address that is public
* `signature`: how a webhook is signed
"""
