"""A budget of the account, which writes to `alarm_email`: the last guard against a bill that nobody has expected.

Of the whole account: costs of one stage can be told apart only after its tag was activated in the billing console, and
until then such a budget would stay at zero and warn of nothing.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_budgets as budgets
from constructs import Construct

from infra.config import Config

WARNINGS: Final = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))
"""Percent of the month's budget that was spent, or will be at this rate."""


class Budget(Construct):
    """The budget; its e-mails come from AWS Budgets, and not by the alarms' topic."""

    def __init__(self, scope: Construct, id: str, config: Config) -> None:
        super().__init__(scope, id)
        budgets.CfnBudget(
            self,
            "Monthly",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(amount=config.budget_usd, unit="USD"),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[
                        budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=config.alarm_email)
                    ],
                )
                for kind, percent in WARNINGS
            ],
        )
