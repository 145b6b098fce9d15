"""The two pools of a resource, each as if it were the only one: what looks at and writes one pool does so twice."""

from dataclasses import replace

from foretide.operator.resource import Resource

ROLES = ("prefill", "decode")


def views(resource: Resource) -> tuple[Resource, Resource]:
    """The prefill pool, then the decode pool. Raises ValueError for a resource of one pool."""
    if resource.decode is None:
        raise ValueError(f"{resource.key}: has one pool")
    return replace(resource, decode=None), replace(resource, pool=resource.decode, decode=None)
