"""Empties the payload bucket when a stack that is not production goes, since CloudFormation deletes only empty ones.

A function of our own, in place of CDK's `auto_delete_objects`: that one's role may do more than is needed, and it
leaves a log group behind.
"""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.lambda_factory import LambdaFactory


class BucketEmptier(Construct):
    """A custom resource that does nothing until it is deleted, which is before its bucket is."""

    def __init__(self, scope: Construct, id: str, bucket: s3.Bucket, functions: LambdaFactory) -> None:
        super().__init__(scope, id)
        functions.custom_resource(
            self,
            "Objects",
            "empty_bucket",
            resource_type="Custom::BucketObjects",
            properties={"Bucket": bucket.bucket_name},
            timeout=Duration.minutes(15),
        )
