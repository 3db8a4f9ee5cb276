"""The stream: serves the log as server-sent events.

* `app`: the Starlette app (`run.sh` starts it on Lambda)
* `authorizer`: turns away at an API Gateway what has no valid credential
* `cursor`: `Last-Event-ID` and `after`
* `follower`: what one client is sent
* `frame`: a slot as it is sent, encoded once for all
* `opening`: who may, from where on
* `pages`: pages for streams that are behind, read once for all
* `poller`: the one poll loop
* `response`: the HTTP answer and its ends
* `turnstile`: how many may look on
* `watchers`: notes that somebody follows a job
"""
