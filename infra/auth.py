"""Who may call: a Cognito user pool by default, or any OIDC issuer; and the key that signs stream tickets."""

from __future__ import annotations

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.config import Config
from infra.findings import accept
from infra.signing_keys import signing_keys


class Auth(Construct):
    """`issuer` and `audience` that every token must have, and the `ticket_secret`."""

    def __init__(self, scope: Construct, id: str, config: Config, key: kms.IKey | None = None) -> None:
        """`key` encrypts the secret; None is for AWS's own."""
        super().__init__(scope, id)
        self.user_pool: cognito.UserPool | None = None
        self.client: cognito.UserPoolClient | None = None
        removal = RemovalPolicy.RETAIN if config.production else RemovalPolicy.DESTROY
        if config.issuer:
            self.issuer, self.audience = config.issuer, list(config.audience)
        else:
            self.user_pool = self._pool(removal, config.production)
            self.client = self.user_pool.add_client(
                "Client",
                auth_flows=cognito.AuthFlow(user_password=True, user_srp=True),
                disable_o_auth=True,
                prevent_user_existence_errors=True,
                access_token_validity=Duration.hours(1),
                id_token_validity=Duration.hours(1),
                refresh_token_validity=Duration.days(30),
            )
            # The same as its ProviderURL, which not every emulator knows.
            self.issuer = f"https://{self.user_pool.user_pool_provider_name}"
            self.audience = [self.client.user_pool_client_id]
        self.ticket_secret = signing_keys(self, "TicketKeys", "stream tickets", removal, key)

    def _pool(self, removal: RemovalPolicy, production: bool) -> cognito.UserPool:
        pool = cognito.UserPool(
            self,
            "UserPool",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            password_policy=cognito.PasswordPolicy(
                min_length=12,
                require_digits=True,
                require_lowercase=True,
                require_uppercase=True,
                require_symbols=True,
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            deletion_protection=production,
            removal_policy=removal,
        )
        accept(pool, "AwsSolutions-COG2", "MFA is offered; to force it would break sign-in from a script.")
        accept(
            pool,
            "AwsSolutions-COG8",
            "Threat protection is billed a user; the pool is a default that any OIDC issuer replaces.",
        )
        return pool
