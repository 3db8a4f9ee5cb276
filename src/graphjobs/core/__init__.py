"""The domain: jobs, events, slots, settings. Pure: no AWS, no HTTP, no LangGraph.

* `api_functions`: the functions behind the HTTP API, a part of `manifest`
* `change`: what a rule is given and what it wants
* `cors`: headers that a page of another origin may send and read
* `event`: the event model and its JSON line
* `event_log`: what a log promises, whatever it is stored in
* `function_spec`: what `manifest` says of one function
* `job`: the row: statuses, attributes, what may be said of it
* `langgraph_json`: the one reader of `langgraph.json`
* `lifecycle`: the rules of a job's life: claim, finish, release, cancel, expire
* `lifetimes`: how long things may still be needed: where times to live come from
* `lineage`: which states of a thread can be seen
* `loading`: modules are loaded without garbage collection
* `manifest`: every function: routes, settings, permissions, packages, metrics
* `outcome`: how a job ends: codes, `error` and `done`
* `run_request`: what a job asks of its graph; its rules and its stored form
* `settings`: every environment variable
* `slot`: a slot and its mark; freezing, deflating, the DynamoDB item
* `state_record`: what a checkpoint of a thread holds, as JSON
* `thread`: the row of a thread: its head, whose turn it is
* `times`: time, in and out
* `turns`: the rules of turns: how a job joins a thread, and what its end makes of it
* `version`: versions of what is stored, and what a newer release has written
"""
