"""The HTTP API: functions behind a JWT authorizer.

There is no ``$default`` route: what no route matches costs no function, since API Gateway answers it itself.
"""

from __future__ import annotations

import json
from typing import Final, cast

from aws_cdk import Aws, Duration, Fn
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.aws_apigatewayv2_authorizers import HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from graphjobs.core import cors
from graphjobs.core.api_functions import API, ROUTES
from infra.auth import Auth
from infra.config import Config
from infra.environment import Environment
from infra.lambda_factory import LambdaFactory, Made

ACCESS_LOG: Final = {
    "request_id": "$context.requestId",
    "at": "$context.requestTime",
    "method": "$context.httpMethod",
    "route": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "bytes": "$context.responseLength",
    "ms": "$context.responseLatency",
    "integration_ms": "$context.integrationLatency",
    "error": "$context.error.message",
    "authorizer_error": "$context.authorizer.error",
}
"""No address and no query string: a path names a job, which only its owner can read."""


class Api(Construct):
    """The API at `url`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        config: Config,
        *,
        auth: Auth,
        environment: Environment,
        functions: LambdaFactory,
    ) -> None:
        super().__init__(scope, id)
        self._config = config
        self._environment = environment
        self._functions = functions
        self.http_api = apigateway.HttpApi(
            self,
            "HttpApi",
            description=f"graphjobs {config.stage}",
            create_default_stage=False,
            cors_preflight=self._cors(),
        )
        authorizer = HttpJwtAuthorizer("Authorizer", auth.issuer, jwt_audience=auth.audience)
        for spec in API:
            integration = HttpLambdaIntegration(f"{spec.name}-integration", self._function(spec.name).target)
            for method, path in spec.routes:
                self.http_api.add_routes(
                    path=path,
                    methods=[apigateway.HttpMethod[method]],
                    integration=integration,
                    authorizer=authorizer,
                )
        self.stage = self._stage()

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return self.http_api.api_endpoint

    def _function(self, name: str) -> Made:
        config = self._config
        return self._functions.make(
            name,
            memory_mb=config.api_memory_mb,
            timeout=Duration.seconds(config.api_timeout_seconds),
            environment=self._environment.of(name),
            snap_start=config.snap_start,
            reserved_concurrent_executions=config.api_reserved_concurrency or None,
        )

    def _cors(self) -> apigateway.CorsPreflightOptions | None:
        if not self._config.cors_origins:
            return None
        methods = [apigateway.CorsHttpMethod[name] for name in sorted({method for method, _, _ in ROUTES})]
        return apigateway.CorsPreflightOptions(
            allow_origins=list(self._config.cors_origins),
            allow_methods=methods,
            allow_headers=list(cors.REQUEST_HEADERS),
            expose_headers=list(cors.ANSWER_HEADERS),
            max_age=Duration.hours(1),
        )

    def _stage(self) -> apigateway.HttpStage:
        stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.http_api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=self._config.throttle_rate, burst_limit=self._config.throttle_burst
            ),
        )
        # Log delivery lists each group of another name in the region's one policy, which can be full, and never takes
        # it out again. The stack's id makes the name new for each stack, since in production the group outlives it.
        unique = Fn.select(2, Fn.split("/", Aws.STACK_ID))
        logs = self._functions.log_group(self, "AccessLogs", f"/aws/vendedlogs/{Aws.STACK_NAME}/api-{unique}")
        cfn_stage = cast(apigateway.CfnStage, stage.node.default_child)
        cfn_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=logs.log_group_arn, format=json.dumps(ACCESS_LOG)
        )
        return stage
