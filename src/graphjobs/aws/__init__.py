"""Adapters to AWS: DynamoDB, SQS, S3.

* `backend`: stores and clients, put together from settings
* `bulk`: many items: pages of a query, batches
* `cancel`: cancel and delete
* `checkpoint_table`: checkpoints as items and S3 objects
* `claims`: claim, finish, release
* `clients`: clients, time-outs, which errors may pass
* `dynamo_log`: the log in DynamoDB
* `erasure`: what is kept of a job, and how it is erased
* `input_bodies`: large inputs in S3
* `job_items`: keys of a job's items
* `job_lists`: an owner's jobs, and those that are due: the two indexes
* `job_store`: rows, inputs, idempotency records: conditional reads and writes
* `owner_limit`: how many jobs an owner has that have not ended
* `payload_store`: large slot bodies in S3
* `queue`: the SQS message
* `queue_place`: how many jobs come before one
* `retry`: how often and how long to try again
* `schema`: keys and indexes of the four tables
* `state_store`: the states of threads
* `store_keys`: keys of LangGraph's store
* `thread_history`: what can be seen of a thread
* `thread_store`: rows of threads, and the parts of a transaction that change them
* `transition`: the transaction over row and next slot
* `viewer_counts`: how many streams were opened in a stretch of time
"""
