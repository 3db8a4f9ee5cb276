"""The same functions on one machine, one process each.

* `child`: what every child does
* `command`: `graphjobs local`: options, output
* `edge`: the HTTP API and its authorizer
* `emulator`: moto's server, one request at a time
* `gateway`: payload format 2.0
* `issuer`: an OIDC issuer
* `keep_alive`: its HTTP: persistent connections
* `lambda_context`: the context object
* `poller`: the SQS event source mapping
* `process`: one child process
* `resources`: tables, queues, bucket, secret
* `scheduler`: EventBridge
* `stream_process`: the stream's uvicorn
* `supervisor`: starts, watches and ends the processes
* `transactions`: moto's transactions, rolled back item by item
* `worker_process`: a Lambda environment of the worker
"""
