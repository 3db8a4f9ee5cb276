"""The HTTP API: which function answers what, who is let in, what is logged, and who may call the functions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from graphjobs.auth.ticket_keys import _parse
from tests.infra.template import Template, arn_text

ROUTES = {
    "POST /jobs": "create_job",
    "GET /jobs": "list_jobs",
    "GET /jobs/{job_id}/status": "job_status",
    "POST /jobs/{job_id}/cancel": "cancel_job",
    "DELETE /jobs/{job_id}": "cancel_job",
    "POST /jobs/{job_id}/stream-ticket": "stream_ticket",
    "POST /threads": "threads",
    "GET /threads/{thread_id}": "threads",
    "PATCH /threads/{thread_id}": "threads",
    "DELETE /threads/{thread_id}": "threads",
    "GET /threads/{thread_id}/state": "threads",
    "POST /threads/{thread_id}/state": "create_job",
    "GET /threads/{thread_id}/state/{checkpoint_id}": "threads",
    "POST /threads/{thread_id}/state/checkpoint": "threads",
    "GET /threads/{thread_id}/history": "threads",
    "POST /threads/{thread_id}/history": "threads",
    "DELETE /jobs/{job_id}/stream-ticket": "stream_ticket",
}


def routes(template: Template) -> dict[str, dict[str, Any]]:
    return {item["Properties"]["RouteKey"]: item["Properties"] for item in template.of_type(route_type).values()}


route_type = "AWS::ApiGatewayV2::Route"


def target(template: Template, route: dict[str, Any]) -> str:
    integration = template.resources[route["Target"]["Fn::Join"][1][1]["Ref"]]["Properties"]
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert integration["PayloadFormatVersion"] == "2.0"
    return template.called(integration["IntegrationUri"])


def test_each_route_leads_to_its_function(template: Template) -> None:
    found = {key: target(template, route) for key, route in routes(template).items()}
    assert found == {key: f"{name}:live" for key, name in ROUTES.items()}


def test_every_route_wants_a_token(template: Template) -> None:
    authorizer = {"Ref": template.logical_id("AWS::ApiGatewayV2::Authorizer", "")}
    for route in routes(template).values():
        assert (route["AuthorizationType"], route["AuthorizerId"]) == ("JWT", authorizer)


def test_what_no_route_matches_costs_no_function(template: Template) -> None:
    """API Gateway answers it itself; nobody pays for anonymous junk."""
    assert "$default" not in routes(template)


@pytest.mark.parametrize("which", ["template", "elsewhere"])
def test_api_and_stream_accept_the_same_tokens(which: str, request: pytest.FixtureRequest) -> None:
    found: Template = request.getfixturevalue(which)
    authorizer = found.only("AWS::ApiGatewayV2::Authorizer")["Properties"]
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    accepted = authorizer["JwtConfiguration"]
    stream = found.environment("stream")
    assert stream["GRAPHJOBS_OIDC_ISSUER"] == accepted["Issuer"]
    audience = stream["GRAPHJOBS_OIDC_AUDIENCE"]
    assert (audience.split(",") if isinstance(audience, str) else [audience]) == accepted["Audience"]


def test_a_configured_issuer_takes_the_place_of_cognito(template: Template, elsewhere: Template) -> None:
    accepted = elsewhere.only("AWS::ApiGatewayV2::Authorizer")["Properties"]["JwtConfiguration"]
    assert accepted == {"Issuer": "https://issuer.example.com/", "Audience": ["app", "machine"]}
    assert not elsewhere.of_type("AWS::Cognito::UserPool")
    own = template.only("AWS::ApiGatewayV2::Authorizer")["Properties"]["JwtConfiguration"]
    assert own["Audience"] == [{"Ref": template.logical_id("AWS::Cognito::UserPoolClient", "")}]
    pool = template.logical_id("AWS::Cognito::UserPool", "AuthUserPool8")
    assert own["Issuer"] == {"Fn::Join": ["", ["https://", {"Fn::GetAtt": [pool, "ProviderName"]}]]}


def test_nobody_signs_up_and_the_client_has_no_secret(template: Template) -> None:
    pool = template.resources[template.logical_id("AWS::Cognito::UserPool", "AuthUserPool8")]["Properties"]
    client = template.only("AWS::Cognito::UserPoolClient")["Properties"]
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    assert client.get("GenerateSecret", False) is False
    assert {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH"} <= set(client["ExplicitAuthFlows"])
    assert client["PreventUserExistenceErrors"] == "ENABLED"


def test_browsers_may_send_and_read_the_headers_of_the_contract(template: Template, elsewhere: Template) -> None:
    cors = template.only("AWS::ApiGatewayV2::Api")["Properties"]["CorsConfiguration"]
    assert {"authorization", "content-type", "idempotency-key"} <= set(cors["AllowHeaders"])
    assert {"traceparent", "tracestate", "baggage", "sentry-trace", "x-request-id"} <= set(cors["AllowHeaders"])
    assert set(cors["ExposeHeaders"]) == {"idempotent-replayed", "retry-after"}
    assert set(cors["AllowMethods"]) == {"DELETE", "GET", "PATCH", "POST"}
    assert cors["AllowOrigins"] == ["*"]
    assert "CorsConfiguration" not in elsewhere.only("AWS::ApiGatewayV2::Api")["Properties"]


def test_requests_are_throttled_as_configured(template: Template, elsewhere: Template) -> None:
    for found, rate, burst in ((template, 100, 200), (elsewhere, 7, 9)):
        settings = found.only("AWS::ApiGatewayV2::Stage")["Properties"]["DefaultRouteSettings"]
        assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (rate, burst)


def test_the_access_log_is_json_with_neither_tokens_nor_queries_nor_addresses(template: Template) -> None:
    settings = template.only("AWS::ApiGatewayV2::Stage")["Properties"]["AccessLogSettings"]
    assert settings["DestinationArn"]["Fn::GetAtt"][0].startswith("ApiAccessLogs")
    line = json.loads(settings["Format"])
    assert {"request_id", "status", "ms", "route", "error", "authorizer_error"} <= set(line)
    variables = set(re.findall(r"\$context\.([\w.]+)", settings["Format"]))
    assert len(variables) == len(line)
    secret = ("identity.", "authorizer.claims", "querystring", "header", "body", "protocol")
    assert not [name for name in variables if name.startswith(secret)]


def test_the_access_log_fills_no_policy_of_the_region_and_has_a_name_of_its_own_in_each_stack(
    template: Template,
) -> None:
    """Log delivery names each group that does not begin so in one policy of 5,120 characters, and keeps it there."""
    name = template.only("AWS::Logs::LogGroup", "ApiAccessLogs")["Properties"]["LogGroupName"]
    stack_id = {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
    assert name == {"Fn::Join": ["", ["/aws/vendedlogs/", {"Ref": "AWS::StackName"}, "/api-", stack_id]]}


def test_only_this_api_may_call_its_functions_each_by_its_own_route(template: Template) -> None:
    api = template.logical_id("AWS::ApiGatewayV2::Api", "")
    allowed = set()
    for item in template.of_type("AWS::Lambda::Permission").values():
        permission = item["Properties"]
        if permission["Principal"] == "apigateway.amazonaws.com":
            arn = arn_text(permission["SourceArn"])
            assert f":<{api}>/" in arn
            allowed.add((template.called(permission["FunctionName"]), arn.partition(f"<{api}>")[2]))
    assert allowed == {(f"{name}:live", f"/*/*{key.partition(' ')[2]}") for key, name in ROUTES.items()}


def test_the_generated_ticket_secret_is_one_that_the_functions_can_read(template: Template) -> None:
    generated = template.only("AWS::SecretsManager::Secret")["Properties"]["GenerateSecretString"]
    assert generated["ExcludePunctuation"] is True
    secret = json.loads(generated["SecretStringTemplate"])
    assert secret, "an empty template would make an empty secret"
    secret[generated["GenerateStringKey"]] = "a" * generated["PasswordLength"]
    keys = _parse(json.dumps(secret))
    assert keys is not None
    assert len(keys.by_name[keys.current]) >= 32
    for function in ("create_job", "stream_ticket", "stream"):
        assert template.environment(function)["GRAPHJOBS_TICKET_SECRET"] == {
            "Ref": template.logical_id("AWS::SecretsManager::Secret", "AuthTicketKeys")
        }
