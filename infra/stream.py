"""The stream: a web app behind AWS Lambda Web Adapter, on a function URL that streams its response, or an API Gateway.

The function URL lets everybody in, since the app itself verifies tokens and tickets: an authorizer of AWS's would want
requests to be signed with AWS credentials, which no browser has.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, Fn, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from graphjobs.core import cors
from infra.config import ADAPTER_ACCOUNT, Config
from infra.environment import Environment
from infra.lambda_factory import LambdaFactory, Made
from infra.rest_front import RestFront

PORT: Final = "8080"
LAYERS: Final = {"arm64": "LambdaAdapterLayerArm64", "x86_64": "LambdaAdapterLayerX86"}
MARGIN_SECONDS: Final = 30
"""The function outlives the window of a connection, so that every connection is closed cleanly."""

ADAPTER: Final = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_INVOKE_MODE": "response_stream",
    "AWS_LWA_PORT": PORT,
    "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
}


class Stream(Construct):
    """The stream function, at `url`."""

    def __init__(
        self, scope: Construct, id: str, config: Config, *, environment: Environment, functions: LambdaFactory
    ) -> None:
        super().__init__(scope, id)
        rest = config.stream_front == "rest_api"
        timeout = Duration.seconds(config.stream_window_seconds + MARGIN_SECONDS)
        made = functions.make(
            "stream",
            handler="run.sh",
            memory_mb=config.stream_memory_mb,
            timeout=timeout,
            environment={**environment.of("stream"), **ADAPTER, **(_behind_api_gateway(config) if rest else {})},
            layers=[lambda_.LayerVersion.from_layer_version_arn(self, "Adapter", self._layer(config))],
            snap_start=config.snap_start,
            reserved_concurrent_executions=config.reserved_for_viewers or None,
        )
        self.function = made.function
        self.front: RestFront | None = None
        if rest:
            self.front = RestFront(
                self,
                "Front",
                config,
                target=made.target,
                timeout=timeout,
                environment=environment,
                functions=functions,
                allowed_headers=cors.REQUEST_HEADERS,
            )
        made_url = self.front.url if self.front else self._function_url(config, made)
        self.url = config.stream_url.rstrip("/") or made_url

    def _function_url(self, config: Config, made: Made) -> str:
        function_url = made.target.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.NONE,
            invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM,
            cors=self._cors(config),
        )
        return f"https://{Fn.select(2, Fn.split('/', function_url.url))}"

    def _layer(self, config: Config) -> str:
        if config.adapter_layer_arn:
            return config.adapter_layer_arn
        stack = Stack.of(self)
        layer = LAYERS[config.architecture]
        return (
            f"arn:{stack.partition}:lambda:{stack.region}:{ADAPTER_ACCOUNT}:layer:{layer}"
            f":{config.adapter_layer_version}"
        )

    def _cors(self, config: Config) -> lambda_.FunctionUrlCorsOptions | None:
        if not config.cors_origins:
            return None
        return lambda_.FunctionUrlCorsOptions(
            allowed_origins=list(config.cors_origins),
            allowed_methods=[lambda_.HttpMethod.GET],
            allowed_headers=list(cors.REQUEST_HEADERS),
            exposed_headers=list(cors.ANSWER_HEADERS),
            max_age=Duration.hours(1),
        )


def _behind_api_gateway(config: Config) -> dict[str, str]:
    # A function URL answers preflight requests and adds the headers by itself; here the app does the latter.
    origins = {"GRAPHJOBS_STREAM_CORS_ORIGINS": ",".join(config.cors_origins)} if config.cors_origins else {}
    return {**origins, "AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH": "true"}
