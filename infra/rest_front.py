"""An API Gateway in front of the stream, for organisations that forbid public function URLs.

A REST API, since no other kind streams what a function answers. Its authorizer takes tokens and tickets; limits and
sizes: https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, cast

from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from graphjobs.http.problem import CONTENT_TYPE, Problem
from infra.config import Config
from infra.environment import Environment
from infra.findings import accept
from infra.lambda_factory import LambdaFactory

STAGE: Final = "live"
METHODS: Final = ("GET", "HEAD")
ACCESS_LOG: Final = {
    "request_id": "$context.requestId",
    "at": "$context.requestTime",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "authorizer_ms": "$context.authorizer.latency",
    "error": "$context.error.message",
    "waf": "$context.waf.status",
}
"""No address and no query string, which may hold a ticket."""

REFUSALS: Final = {
    "UNAUTHORIZED": Problem(401, "unauthorized", "Give a bearer token, or the ticket of a stream_url."),
    "ACCESS_DENIED": Problem(401, "unauthorized", "The token or the ticket is not valid."),
    "MISSING_AUTHENTICATION_TOKEN": Problem(404, "not_found", "There is nothing at this address."),
    "THROTTLED": Problem(429, "too_many_requests", "Too many requests.", headers={"Retry-After": "2"}),
}
"""What API Gateway itself answers, in the form of everything else."""


class RestFront(Construct):
    """The API, and its `url`, which ends with its stage."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        config: Config,
        *,
        target: lambda_.IFunction,
        timeout: Duration,
        environment: Environment,
        functions: LambdaFactory,
        allowed_headers: Sequence[str],
    ) -> None:
        """`target` is the stream, and `timeout` the longest that it takes."""
        super().__init__(scope, id)
        self.api = apigateway.RestApi(
            self,
            "Api",
            # A label, and what its metrics go by.
            rest_api_name=f"graphjobs-{config.stage}-stream",
            description=f"graphjobs {config.stage}: stream",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=True,
            deploy_options=self._stage(config, functions),
        )
        job = self.api.root.add_resource("stream").add_resource("{job_id}")
        integration = apigateway.LambdaIntegration(
            target,
            response_transfer_mode=apigateway.ResponseTransferMode.STREAM,
            timeout=timeout,
            allow_test_invoke=False,
        )
        authorizer = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            handler=functions.make("authorize_stream", environment=environment.of("authorize_stream")).target,
            # Either of two places may hold the credential; a cache would ask for both.
            identity_sources=[],
            results_cache_ttl=Duration.seconds(0),
        )
        cast(apigateway.CfnAuthorizer, authorizer.node.default_child).add_property_deletion_override("IdentitySource")
        for method in METHODS:
            made = job.add_method(method, integration, authorizer=authorizer)
            accept(made, "AwsSolutions-COG4", "The authorizer takes tokens of any issuer, and tickets of ours.")
        if config.cors_origins:
            preflight = job.add_cors_preflight(
                allow_origins=list(config.cors_origins),
                allow_methods=["GET"],
                allow_headers=list(allowed_headers),
                max_age=Duration.hours(1),
            )
            for rule in ("AwsSolutions-APIG4", "AwsSolutions-COG4"):
                accept(preflight, rule, "A browser's preflight request carries no credential.")
        self._refusals(config)
        self._findings()
        if config.web_acl_arn:
            wafv2.CfnWebACLAssociation(
                self,
                "WebAcl",
                resource_arn=self.api.deployment_stage.stage_arn,
                web_acl_arn=config.web_acl_arn,
            )

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return self.api.deployment_stage.url_for_path("/").rstrip("/")

    def _stage(self, config: Config, functions: LambdaFactory) -> apigateway.StageOptions:
        logs = functions.log_group(self, "AccessLogs")
        return apigateway.StageOptions(
            stage_name=STAGE,
            access_log_destination=apigateway.LogGroupLogDestination(logs),
            access_log_format=apigateway.AccessLogFormat.custom(json.dumps(ACCESS_LOG)),
            throttling_rate_limit=config.throttle_rate,
            throttling_burst_limit=config.throttle_burst,
            tracing_enabled=config.xray,
        )

    def _refusals(self, config: Config) -> None:
        for kind, problem in REFUSALS.items():
            headers = {name.lower(): f"'{value}'" for name, value in problem.all_headers().items()}
            if len(config.cors_origins) == 1:  # the answer is fixed, so it cannot name the caller's of several
                headers["access-control-allow-origin"] = f"'{config.cors_origins[0]}'"
            self.api.add_gateway_response(
                kind.capitalize(),
                type=apigateway.ResponseType.of(kind),
                status_code=str(problem.status),
                response_headers=headers,
                templates={"application/json": problem.body(), CONTENT_TYPE: problem.body()},
            )

    def _findings(self) -> None:
        accept(
            self.api,
            "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/"
            "AmazonAPIGatewayPushToCloudWatchLogs]",
            "The role of the account's access logs, as API Gateway documents it.",
        )
        accept(self.api, "AwsSolutions-APIG2", "There is no body and no parameter but the id, which the stream checks.")
        accept(
            self.api.deployment_stage,
            "AwsSolutions-APIG6",
            "The execution log writes query strings, which may hold a ticket; the access log has each request.",
        )
        accept(self.api.deployment_stage, "AwsSolutions-APIG3", "The web ACL is the organisation's own: web_acl_arn.")
