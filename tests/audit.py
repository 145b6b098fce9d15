"""What service accounts really asked of the API server, by its own audit log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "None"},
    ],
}
"""All service accounts but those of the controllers. The start of a watch counts, since its end may be far."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one kind of thing; a subresource stands behind a slash."""

    verb: str
    group: str
    resource: str
    name: str = ""
    """Where only the thing of that name is meant."""


def audit_flags(log: Path) -> tuple[str, ...]:
    """Flags of kube-apiserver that bring the log."""
    policy = log.with_name("policy.yaml")
    policy.write_text(yaml.safe_dump(POLICY), encoding="utf-8")
    return (f"--audit-policy-file={policy}", f"--audit-log-path={log}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one user asked for, and what of it was refused; questions of discovery are left out."""

    allowed: frozenset[Right]
    refused: frozenset[Right]


def asked(log: Path, user: str) -> Asked:
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    own = [entry for entry in entries if entry["user"]["username"] == user and "resource" in entry.get("objectRef", {})]
    decided = {"allow": set(), "forbid": set()}  # type: dict[str, set[Right]]
    for entry in own:
        decided[entry["annotations"]["authorization.k8s.io/decision"]].add(_right(entry))
    return Asked(frozenset(decided["allow"]), frozenset(decided["forbid"]))


def granted(rules: list[dict[str, Any]]) -> frozenset[Right]:
    """The rights that the rules of a role spell out."""
    return frozenset(
        Right(verb, group, resource, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    )


def _right(entry: dict[str, Any]) -> Right:
    thing = entry["objectRef"]
    resource = "/".join(filter(None, (thing["resource"], thing.get("subresource"))))
    name = thing.get("name", "") if resource == "leases" else ""
    return Right(entry["verb"], thing.get("apiGroup", ""), resource, name)
