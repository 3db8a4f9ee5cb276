"""The `graphjobs` command.

* `arguments`: its grammar
* `commands`: its commands
* `demo`: `make demo`
* `event_view`: events on a terminal
* `job_view`: jobs on a terminal
* `local_package`: the way to `local/`
* `local_process`: a local instance as a child
* `main`: the `graphjobs` command
* `target`: which service, as whom
* `terminal`: UTF-8, control characters, pipes
"""
