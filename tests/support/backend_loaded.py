"""AWS as `tests.support.backend` has it, asked once: for processes that are forked from the one that imports this.

moto loads its parts, and boto3 its models of the services, when they are first needed, and an error of a service takes
moto longest: that is most of what a process costs that runs a job or two.
"""

from __future__ import annotations

from contextlib import suppress

from botocore.exceptions import ClientError

from tests.support.backend import backend

with backend() as aws:
    aws.jobs.get(aws.new_job().job_id)
    aws.s3.put_object(Bucket=aws.settings.payload_bucket, Key="loaded", Body=b"")
    aws.queue.announce("job", "user")
    (message,) = aws.messages()
    with suppress(ClientError):
        aws.queue.set_visibility(message["ReceiptHandle"], 1)
