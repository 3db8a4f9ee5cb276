"""The functions behind the HTTP API, a module per function, and what creating a job means.

* `cancel_job`: `POST /jobs/{job_id}/cancel`, `DELETE /jobs/{job_id}`
* `create_job`: `POST /jobs`, `POST /threads/{thread_id}/state`
* `job_request`: its body
* `job_status`: `GET /jobs/{job_id}/status`
* `joining`: accepting a job as a turn of a thread
* `list_jobs`: `GET /jobs`
* `state_updates`: a job that changes the state of a thread and runs no node
* `stream_ticket`: `POST` and `DELETE /jobs/{job_id}/stream-ticket`
* `submission`: accepting a job
* `thread_request`: the bodies of the routes of threads
* `thread_rows`: making a thread and changing its metadata
* `threads`: threads and their states
* `turn_request`: the members of that body that make a job a turn of a thread
"""
