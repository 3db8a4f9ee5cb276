"""The same functions on one machine, one process each.

* `child`: what every child does
* `command`: `graphjobs local`: options, output
* `console`: what a person at the terminal sees: a line per job, and what goes wrong
* `edge`: the HTTP API and its authorizer
* `emulator`: moto's server, one request at a time
* `fair_queue`: moto's queues, made fair as those of SQS
* `gateway`: payload format 2.0
* `issuer`: an OIDC issuer: its key, its tokens
* `issuer_routes`: discovery and JWKS
* `keep_alive`: the emulator's HTTP: persistent connections
* `kept_data`: what `--data DIR` keeps between two instances
* `lambda_context`: the context object
* `log_notes`: the worker's log lines as notes
* `lost_worker`: the job of a worker that died is taken up at once
* `notes`: what the workers tell the supervisor
* `poller`: the SQS event source mapping
* `process`: one child process
* `quick_answers`: moto's answers, made quickly
* `quick_requests`: DynamoDB's requests, handed to moto without Flask
* `quick_tables`: moto's DynamoDB tables, read and written quickly
* `resources`: tables, queues, bucket, secret
* `restarts`: when a process that has ended is started again
* `scheduler`: EventBridge
* `source_watch`: which files of the project have changed
* `state`: the instance's folder, kept to one instance
* `stream_process`: the stream's uvicorn
* `supervisor`: starts, watches and ends the processes
* `transactions`: moto's transactions, rolled back item by item
* `unread_messages`: what was received for a worker that had ended is visible again
* `worker_pool`: the process that worker processes are forked from
* `worker_process`: a Lambda environment of the worker
"""
