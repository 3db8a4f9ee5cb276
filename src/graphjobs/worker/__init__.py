"""The worker: runs a graph and appends its events to the log.

* `checkpoint_layout`: how a checkpoint is laid out in an item
* `checkpoint_store`: checkpoints and pending writes in the table
* `checkpoints`: LangGraph's checkpointer
* `commands`: LangGraph's `Command` of a request
* `embeddings`: the embeddings that `langgraph.json` names
* `factory`: a graph for one run: factories, context managers, `ServerRuntime`
* `failure`: what a client is told of an exception
* `fork_base`: what a process has imported that workers are forked from
* `graph_input`: the input, and the place of a query in it
* `graph_loader`: the graphs of `langgraph.json`
* `graph_run`: one run of the graph
* `handler`: the SQS event; wiring
* `heartbeat`: lease, visibility, reasons to stop
* `job_run`: one claim to its end: graph, writer, heartbeat, stop
* `jsonable`: JSON of anything
* `kept`: what the modules of a project keep
* `langgraph_compat`: all that LangGraph does not document and we use
* `leftovers`: tasks and programs that a job has left running
* `load_error`: why a graph cannot be loaded, in one line
* `marks`: which checkpoint the log may name
* `messages`: which models and nodes speak: pieces and whole messages
* `node_executor`: the threads of sync nodes
* `pace`: how long events gather
* `parts`: what a worker is made of, grouped
* `pieces`: text, reasoning and tool calls of a message
* `process_state`: what a node may change of the process, put back
* `raw_parts`: LangGraph's own parts as events
* `recorder`: takes each part of a graph's stream as it is made
* `run_checkpoints`: what of a run's checkpoints is in memory, and when they are saved
* `run_config`: config and context of a run
* `run_state`: a state of a run as JSON
* `scalars`: JSON forms of single values
* `scratch`: the folder for temporary files, emptied between owners
* `secrets`: secrets of the user's graphs, put into the environment
* `seed`: a checkpoint thread that begins with a copy of another one's head
* `serde`: what may be made of the bytes of a checkpoint
* `slot_buffer`: what waits for the log; numbering, coalescing
* `snapshot`: a checkpoint as bytes, value by value
* `start`: what Lambda calls: the start of the worker, and what becomes of messages if it fails
* `state_records`: stores the states of a run
* `store`: LangGraph's store in DynamoDB
* `store_index`: search by meaning: vectors of what is put, and how near they are
* `subgraph_lines`: what subgraphs keep on the thread, step by step
* `surrogates`: halves of characters
* `tasks`: where each task is, and which try of it
* `telemetry`: its logger and metrics
* `tracers`: LangSmith and OpenTelemetry, flushed before the process is frozen
* `translate`: LangGraph's stream to events
* `unsaveable`: which value of a state cannot be saved
* `user`: the user of a run, as LangGraph shows one
* `user_environment`: a project's variables and working directory
* `user_module`: imports a project's files as themselves
* `watchdog`: keeps a claim while a node holds Python's lock: the worker's side
* `watchdog_process`: the same, in its own process
* `worker`: one message to its end
* `writer`: the thread that puts slots into the log
"""
