"""What the emulator lacks, taken out of the synthesised template, and each thing said aloud.

The app is synthesised as for AWS; only its template is changed, here, by a function of that template alone. So a
second synthesis of the same source gives the same template again, and deploying it changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Template = dict[str, Any]

POLICIES: Final = ("AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy")
FUNCTION: Final = "AWS::Lambda::Function"
TEMPORARY: Final = "TMPDIR"
"""The variable that names the folder for temporary files, of Python and of most else."""

TELLS_ADDRESSES: Final = ": create_job"
"""How the description ends of the function whose answers hold the API's address."""
SIMPLE_METRIC: Final = {"Namespace": "graphjobs", "MetricName": "MetricMath", "Period": 300, "Statistic": "Sum"}


def adapt(template: Template, apis: str, temporary: Path) -> tuple[Template, list[str]]:
    """The template for the emulator; what was changed, a sentence each.

    Args:
        template: as it was synthesised.
        apis: the address under which the emulator serves APIs.
        temporary: where each function has a folder for temporary files.
    """
    resources: dict[str, Any] = json.loads(json.dumps(template["Resources"]))
    notes = []
    for change in (_no_saved_queries, _no_metric_math, _no_tls_only):
        changed = change(resources)
        if changed:
            notes.append(f"{(change.__doc__ or '').strip()} ({changed})")
    if _reachable_api(resources, apis):
        notes.append(
            f"The API's address in answers: under {apis}, since not every machine resolves the emulator's name."
        )
    own = _own_temporary_folders(resources, temporary)
    if own:
        notes.append(f"Temporary files: a folder for each function, since all processes share one /tmp. ({own})")
    adapted = {**template, "Resources": resources}
    secrets = {name for name, resource in resources.items() if resource["Type"] == "AWS::SecretsManager::Secret"}
    adapted = _map(adapted, lambda node: _arn_of_secret(node, secrets))
    if secrets:
        notes.append(f"Ref of a secret, which is its name in the emulator: its ARN, as on AWS. ({len(secrets)})")
    return adapted, notes


def adapt_assembly(folder: Path, stack: str, apis: str, temporary: Path) -> list[str]:
    """Adapt the template of `stack` in a synthesised assembly, and make its functions' folders; what was changed."""
    path = template_path(folder, stack)
    adapted, notes = adapt(json.loads(path.read_text(encoding="utf-8")), apis, temporary)
    path.write_text(json.dumps(adapted, indent=1), encoding="utf-8")
    for function in _functions(adapted["Resources"]).values():
        Path(function["Properties"]["Environment"]["Variables"][TEMPORARY]).mkdir(parents=True, exist_ok=True)
    return notes


def template_path(folder: Path, stack: str) -> Path:
    """Where the template of `stack` is in an assembly."""
    return folder / f"{stack}.template.json"


def differences(one: Template, other: Template) -> list[str]:
    """What is not the same in two templates: ``section name``, or the section alone where it names nothing."""
    found = []
    for section in sorted(one.keys() | other.keys()):
        here, there = one.get(section), other.get(section)
        if not isinstance(here, dict) or not isinstance(there, dict):
            found += [section] if here != there else []
            continue
        found += [
            f"{section} {name}" for name in sorted(here.keys() | there.keys()) if here.get(name) != there.get(name)
        ]
    return found


def _no_saved_queries(resources: dict[str, Any]) -> int:
    """Saved queries of Logs Insights: left out, the emulator does not know the type."""
    names = [name for name, resource in resources.items() if resource["Type"] == "AWS::Logs::QueryDefinition"]
    for name in names:
        del resources[name]
    return len(names)


def _no_metric_math(resources: dict[str, Any]) -> int:
    """Alarms on metric math: on one plain metric."""
    changed = 0
    for resource in resources.values():
        if resource["Type"] == "AWS::CloudWatch::Alarm" and resource["Properties"].pop("Metrics", None):
            resource["Properties"] |= SIMPLE_METRIC
            changed += 1
    return changed


def _no_tls_only(resources: dict[str, Any]) -> int:
    """Statements that refuse plain HTTP: left out, since the emulator speaks nothing else."""
    changed = 0
    for name, resource in list(resources.items()):
        if resource["Type"] not in POLICIES:
            continue
        document = resource["Properties"]["PolicyDocument"]
        kept = [statement for statement in document["Statement"] if not _refuses_http(statement)]
        changed += len(document["Statement"]) - len(kept)
        document["Statement"] = kept
        if not kept:  # a policy must say something
            del resources[name]
            for other in resources.values():
                _forget(other, name)
    return changed


def _reachable_api(resources: dict[str, Any], apis: str) -> int:
    api = next((name for name, resource in resources.items() if resource["Type"] == "AWS::ApiGatewayV2::Api"), None)
    tellers = [
        resource
        for resource in resources.values()
        if str(resource.get("Properties", {}).get("Description", "")).endswith(TELLS_ADDRESSES)
    ]
    for resource in tellers:
        resource["Properties"]["Environment"]["Variables"]["GRAPHJOBS_API_URL"] = {
            "Fn::Join": ["/", [apis, {"Ref": api}]]
        }
    return len(tellers)


def _own_temporary_folders(resources: dict[str, Any], temporary: Path) -> int:
    functions = _functions(resources)
    for name, function in functions.items():
        environment = function["Properties"].setdefault("Environment", {})
        environment.setdefault("Variables", {})[TEMPORARY] = str(temporary / name)
    return len(functions)


def _functions(resources: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in resources.items() if resource["Type"] == FUNCTION}


def _refuses_http(statement: dict[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}


def _forget(resource: dict[str, Any], name: str) -> None:
    depends = resource.get("DependsOn")
    if depends is None:
        return
    kept = [other for other in ([depends] if isinstance(depends, str) else depends) if other != name]
    if kept:
        resource["DependsOn"] = kept
    else:
        del resource["DependsOn"]


def _arn_of_secret(node: dict[str, Any], secrets: set[str]) -> dict[str, Any]:
    return {"Fn::GetAtt": [node["Ref"], "Id"]} if node.get("Ref") in secrets else node


def _map(node: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    if isinstance(node, dict):
        return {key: _map(value, change) for key, value in change(node).items()}
    if isinstance(node, list):
        return [_map(value, change) for value in node]
    return node
