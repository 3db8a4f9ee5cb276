#!/bin/sh
# The stream function's process: AWS Lambda Web Adapter starts this in place of a handler and forwards requests
# to AWS_LWA_PORT. -u, since metrics are printed: a buffer would be frozen with the process. No access log:
# uvicorn's prints query strings, and a stream's holds a ticket.
export PYTHONPATH="${LAMBDA_TASK_ROOT:-.}${PYTHONPATH:+:$PYTHONPATH}"
exec python -u -m uvicorn graphjobs_function:create_app_from_env --factory \
    --host 127.0.0.1 --port "${AWS_LWA_PORT:-8080}" --no-access-log --log-level warning \
    --timeout-graceful-shutdown 2
