"""A synthesised template, asked in terms of what it deploys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PREFIXES = {
    "StorageJobs": "jobs",
    "StorageEvents": "events",
    "StorageCheckpoints": "checkpoints",
    "StorageStore": "store",
    "StoragePayloads": "bucket",
    "JobsQueue": "queue",
    "JobsDeadLetters": "dead_letters",
    "AuthTicketKeys": "ticket_secret",
    "NotificationsWebhookKeys": "webhook_secret",
    "NotificationsWebhooks": "webhooks",
    "NotificationsDeadLetters": "untold",
    "AlarmsTopic": "topic",
}


@dataclass(frozen=True)
class Template:
    """The resources and outputs of one stack."""

    content: dict[str, Any]
    accepted: tuple[tuple[str, str], ...] = ()
    """Findings of cdk-nag that stay, with their reasons."""

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """By logical id."""
        found: dict[str, dict[str, Any]] = self.content["Resources"]
        return found

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The resources of one type, by logical id."""
        return {key: value for key, value in self.resources.items() if value["Type"] == kind}

    def only(self, kind: str, prefix: str = "") -> dict[str, Any]:
        """The one resource of a type whose id begins with `prefix`."""
        found = [value for key, value in self.of_type(kind).items() if key.startswith(prefix)]
        assert len(found) == 1, f"{len(found)} of {kind} {prefix}"
        return found[0]

    def function(self, name: str) -> dict[str, Any]:
        """Properties of the function `name`."""
        properties: dict[str, Any] = self.only("AWS::Lambda::Function", construct(name) + "Function")["Properties"]
        return properties

    def functions(self) -> list[str]:
        """The names of all functions, from their descriptions."""
        described = (item["Properties"]["Description"] for item in self.of_type("AWS::Lambda::Function").values())
        return sorted(text.partition(": ")[2] for text in described)

    def environment(self, name: str) -> dict[str, Any]:
        """The variables of function `name`."""
        variables: dict[str, Any] = self.function(name).get("Environment", {}).get("Variables", {})
        return variables

    def logical_id(self, kind: str, prefix: str = "") -> str:
        """The id of the one resource of a type whose id begins with `prefix`."""
        (found,) = (key for key in self.of_type(kind) if key.startswith(prefix))
        return found

    def called(self, reference: Any) -> str:
        """The name of the function that `reference` leads to, with ``:live`` if by its alias."""
        if "Fn::Join" in reference:  # the name of a function, cut out of its alias's ARN
            name, alias = reference["Fn::Join"][1]
            found = self.called(name["Fn::Select"][1]["Fn::Split"][1])
            assert found.endswith(alias)
            return found
        logical_id = reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0]
        target = self.resources[logical_id]
        if target["Type"] == "AWS::Lambda::Alias":
            return self.called(target["Properties"]["FunctionName"]) + f":{target['Properties']['Name']}"
        assert target["Type"] == "AWS::Lambda::Function", logical_id
        return str(target["Properties"]["Description"]).partition(": ")[2]

    def role(self, name: str) -> set[tuple[str, str]]:
        """What the role of function `name` allows: (action, resource) pairs."""
        properties = self.only("AWS::IAM::Role", construct(name) + "Role")["Properties"]
        pairs = set()
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Effect"] == "Allow"
                for action in listed(statement["Action"]):
                    pairs |= {(action, arn_text(arn)) for arn in listed(statement["Resource"])}
        return pairs


def construct(name: str) -> str:
    """The beginning of the logical ids of what belongs to function `name`."""
    return "Functions" + "".join(part.capitalize() for part in name.split("_"))


def listed(value: Any) -> list[Any]:
    """CloudFormation writes a list of one as that one."""
    return value if isinstance(value, list) else [value]


def arn_text(arn: Any) -> str:
    """An ARN with the resources in it by name: ``bucket/events/*``."""
    if isinstance(arn, str):
        return arn
    if "Fn::Join" in arn:
        separator: str = arn["Fn::Join"][0]
        return separator.join(arn_text(part) for part in arn["Fn::Join"][1])
    logical_id: str = arn["Ref"] if "Ref" in arn else arn["Fn::GetAtt"][0]
    for prefix, name in PREFIXES.items():
        if logical_id.startswith(prefix):
            return name
    if "Logs" in logical_id:
        return "logs:" + logical_id.partition("Logs")[0].removeprefix("Functions")
    return f"<{logical_id}>"
