"""The functions behind the HTTP API, one module per route, and what creating a job means.

* `cancel_job`: `POST /jobs/{job_id}/cancel`
* `create_job`: `POST /jobs`
* `job_request`: its body
* `job_status`: `GET /jobs/{job_id}/status`
* `list_jobs`: `GET /jobs`
* `stream_ticket`: `POST /jobs/{job_id}/stream-ticket`
* `submission`: accepting a job
"""
