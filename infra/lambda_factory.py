"""The one place where functions are made: role, log group, tracing, runtime and bundle are alike for all.

A role holds exactly what `infra.permissions` lists for its function; nothing that CDK would add on its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from graphjobs.core.manifest import FUNCTIONS
from infra.bundling import ENTRY, Bundle
from infra.config import Config
from infra.findings import accept, accept_wildcard
from infra.installed import ROOT, WORKER
from infra.permissions import ENCRYPTION, PERMISSIONS, TRACING, WILDCARDS, Resources
from infra.release import ALIAS, RELEASE_VARIABLE, release_of
from infra.statements import statements

RETENTIONS: Final = {
    1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH",
    60: "TWO_MONTHS", 90: "THREE_MONTHS", 120: "FOUR_MONTHS", 150: "FIVE_MONTHS", 180: "SIX_MONTHS",
    365: "ONE_YEAR", 400: "THIRTEEN_MONTHS", 545: "EIGHTEEN_MONTHS", 731: "TWO_YEARS", 1096: "THREE_YEARS",
    1827: "FIVE_YEARS", 3653: "TEN_YEARS",
}  # fmt: skip

RUNTIMES: Final = {
    "python3.12": lambda_.Runtime.PYTHON_3_12,
    "python3.13": lambda_.Runtime.PYTHON_3_13,
}

IMAGE: Final = ROOT / "infra" / "image"
PLATFORMS: Final = {"arm64": ecr_assets.Platform.LINUX_ARM64, "x86_64": ecr_assets.Platform.LINUX_AMD64}
LAMBDAS_DEFAULT_SECONDS: Final = 3


SHARED: Final = "from infra.custom_resource import answered\n"


def one_file(module: str) -> str:
    """The custom resource `module` of this folder, as the one file that it is for Lambda (``index.py``)."""
    shared, own = ((ROOT / "infra" / f"{name}.py").read_text(encoding="utf-8") for name in ("custom_resource", module))
    if SHARED not in own:
        raise ValueError(f"{module} does not take its answer from custom_resource.")
    return shared + own.replace(SHARED, "")


@dataclass(frozen=True, slots=True)
class Made:
    """A function and what belongs to it.

    Attributes:
        function: the function itself: what metrics are of.
        target: what is invoked: the alias of its newest version; the function itself for a helper of the stack.
        role: its role.
        log_group: where it logs.
    """

    function: lambda_.Function
    target: lambda_.IFunction
    role: iam.Role
    log_group: logs.LogGroup


class LambdaFactory:
    """Makes the functions of one stack."""

    def __init__(
        self,
        scope: Construct,
        config: Config,
        resources: Resources,
        bundles: Mapping[str, Bundle] | None,
        *,
        key: kms.IKey | None = None,
    ) -> None:
        """`bundles` by the functions' names; None makes functions without code. `key` encrypts logs and variables."""
        self._scope = scope
        self._config = config
        self._resources = resources
        self._bundles = bundles
        self._key = key
        self._release = release_of(config, [made.folder for made in (bundles or {}).values()])
        self.made: dict[str, Made] = {}

    def make(
        self,
        name: str,
        *,
        memory_mb: int | None = None,
        timeout: Duration | None = None,
        environment: Mapping[str, str] | None = None,
        handler: str | None = None,
        code: lambda_.Code | None = None,
        more_statements: Sequence[iam.PolicyStatement] = (),
        snap_start: bool = False,
        asynchronous: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Made:
        """Make the function `name`; `options` are further properties of `lambda_.Function`.

        `asynchronous` says what becomes of an event that fails; it belongs to what is invoked, the alias.
        Memory and timeout are those of the manifest unless the configuration has a say.
        """
        config = self._config
        ours = name in FUNCTIONS
        scope = Construct(self._scope, "".join(part.capitalize() for part in name.split("_")))
        log_group = self.log_group(scope, "Logs")
        role = self._role(scope, name, [*self._statements(name, log_group), *more_statements])
        image = name == WORKER and config.worker_package == "image"
        function = lambda_.Function(
            scope,
            "Function",
            description=f"graphjobs {config.stage}: {name}",
            runtime=lambda_.Runtime.FROM_IMAGE if image else RUNTIMES[config.runtime],
            architecture=lambda_.Architecture.custom(config.architecture),
            code=code or (self._image() if image else self._code(name)),
            handler=lambda_.Handler.FROM_IMAGE if image else handler or f"{ENTRY}.handler",
            memory_size=memory_mb or FUNCTIONS[name].memory_mb,
            timeout=timeout or Duration.seconds(FUNCTIONS[name].timeout_seconds or LAMBDAS_DEFAULT_SECONDS),
            environment={**(environment or {}), **({RELEASE_VARIABLE: self._release} if ours else {})},
            environment_encryption=self._key,
            role=role.without_policy_updates(),
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE if config.xray else lambda_.Tracing.DISABLED,
            current_version_options=lambda_.VersionOptions(
                description=self._release,
                # The way back: `infra.releases`.
                removal_policy=RemovalPolicy.RETAIN,
            ),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if snap_start else None,
            **options,
        )
        accept(function, "AwsSolutions-L1", "Not every dependency has wheels for the newest runtime yet.")
        target: lambda_.IFunction = function
        if ours:
            target = lambda_.Alias(
                scope, "Alias", alias_name=ALIAS, version=function.current_version, **(asynchronous or {})
            )
        made = Made(function, target, role, log_group)
        self.made[name] = made
        return made

    def custom_resource(
        self,
        scope: Construct,
        id: str,
        module: str,
        *,
        resource_type: str,
        properties: Mapping[str, str],
        timeout: Duration,
    ) -> None:
        """Make the resource `id` that the custom resource `module` of this folder makes and removes.

        It goes before what its properties refer to, and while its function may still act.
        """
        made = self.make(
            module,
            code=lambda_.Code.from_inline(one_file(module)),
            handler="index.handler",
            memory_mb=256,
            timeout=timeout,
        )
        resource = CustomResource(
            scope,
            id,
            service_token=made.function.function_arn,
            resource_type=resource_type,
            properties=properties,
        )
        resource.node.add_dependency(made.role)

    def log_group(self, scope: Construct, id: str, name: str | None = None) -> logs.LogGroup:
        """A log group that is kept as configured, and beyond the stack only in production."""
        return logs.LogGroup(
            scope,
            id,
            log_group_name=name,
            encryption_key=self._key,
            retention=logs.RetentionDays[RETENTIONS[self._config.log_retention_days]],
            removal_policy=RemovalPolicy.RETAIN if self._config.production else RemovalPolicy.DESTROY,
        )

    def _role(self, scope: Construct, name: str, allowed: list[iam.PolicyStatement]) -> iam.Role:
        role = iam.Role(
            scope,
            "Role",
            description=f"graphjobs {self._config.stage}: what {name} may do",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"Function": iam.PolicyDocument(statements=allowed, minimize=False)},
        )
        for resource, reason in WILDCARDS.items():
            if resource in PERMISSIONS[name]:
                accept_wildcard(role, self._resources.arn(resource), reason)
        if self._config.xray:
            accept_wildcard(role, "*", WILDCARDS["*"])
        return role

    def _statements(self, name: str, log_group: logs.LogGroup) -> list[iam.PolicyStatement]:
        allowed = statements(name, self._resources, log_group.log_group_arn)
        if self._config.xray:
            allowed.append(iam.PolicyStatement(actions=list(TRACING), resources=["*"]))
        if self._key is not None:
            allowed.append(iam.PolicyStatement(actions=list(ENCRYPTION), resources=[self._key.key_arn]))
        return allowed

    def _code(self, name: str) -> lambda_.Code:
        if self._bundles is None:
            return lambda_.Code.from_inline("def handler(event, context):\n    raise NotImplementedError\n")
        return lambda_.Code.from_asset(str(self._bundles[name].folder))

    def _image(self) -> lambda_.Code:
        """The worker's bundle with a Dockerfile; Docker builds it when it is deployed, not when it is synthesised."""
        folder = IMAGE if self._bundles is None else self._bundles[WORKER].folder
        if folder != IMAGE:
            shutil.copytree(IMAGE, folder, dirs_exist_ok=True)
        return lambda_.Code.from_asset_image(
            str(folder),
            build_args={"PYTHON": self._config.runtime.removeprefix("python")},
            platform=PLATFORMS[self._config.architecture],
        )
