"""The `graphjobs` command.

* `answer_hint`: how to go on after an interrupt
* `arguments`: its grammar
* `commands`: its commands
* `demo`: `make demo`
* `demo_talk`: its conversation
* `event_text`: what a line about one event says
* `event_view`: events on a terminal
* `job_view`: jobs on a terminal
* `local_package`: the way to `local/` and `admin/`
* `local_process`: a local instance as a child
* `main`: the `graphjobs` command
* `notices`: what is said while nothing comes
* `packages`: `graphjobs install`
* `state_view`: states of a conversation on a terminal
* `target`: which service, as whom
* `terminal`: UTF-8, control characters, pipes
* `value_text`: a JSON value as a person reads it
"""
