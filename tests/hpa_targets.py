"""What the HPAs of the golden test scale, and pods that never run.

A ReplicationController is nothing but a count here: the bed runs no controller for that kind, so that its
status.replicas is what a test writes.
"""

from typing import Any

from hpa_series import Case


def target_of(case: Case) -> dict[str, Any]:
    labels = {"app": case.name}
    template = {"metadata": {"labels": labels}, "spec": _pod_spec()}
    deployed = case.kind == "Deployment"
    return {
        "apiVersion": case.version,
        "kind": case.kind,
        "metadata": {"name": case.name},
        "spec": {
            "replicas": case.begins_with,
            "selector": {"matchLabels": labels} if deployed else labels,
            "template": template,
        },
    }


def pods_of(case: Case) -> list[dict[str, Any]]:
    """The pods that HPA finds by the target's selector, whatever its count; their phases are written separately."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"{case.name}-{number}", "labels": {"app": case.name}},
            "spec": _pod_spec(),
        }
        for number in range(len(case.phases))
    ]


def _pod_spec() -> dict[str, Any]:
    return {"nodeSelector": {"no": "node"}, "containers": [{"name": "engine", "image": "engine"}]}
