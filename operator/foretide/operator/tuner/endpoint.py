"""HTTP admin endpoints that hold a limit, as the cluster's admin allows them: an address, a field, and for whom. Pure.

A resource names an endpoint and can never carry an address. `{namespace}` in an address is the resource's namespace,
and `{name}`, in the path only, its name; neither holds a character that could lead elsewhere. An address that is the
same for all has to say which namespaces may use it.

What is NOT promised: that two resources of one namespace have different endpoints. Who shares one finds out by a
`Conflict`.
"""

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from foretide.operator.seams import Key as ResourceKey
from foretide.operator.settings import BadSettings
from foretide.operator.tuner.path import FieldPath, Key, field_path

Method = Literal["PUT", "PATCH", "POST"]
METHODS: tuple[Method, ...] = get_args(Method)
NAMESPACE, NAME = "{namespace}", "{name}"
MAX_BODY = 2**16


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """Raises BadSettings, in one line with field, value and fix.

    A PUT sends what was read with the number changed; PATCH (a merge patch) and POST send the number alone.
    """

    name: str
    address: str
    field: str = "limit"
    method: str = "PUT"
    namespaces: tuple[str, ...] = ()
    """Who may use it; empty where the address itself holds the namespace."""
    ca_file: Path | None = None
    token_file: Path | None = None

    def __post_init__(self) -> None:
        where, parts = f"endpoint {self.name}", urlsplit(self.address)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise BadSettings(f"{where}: address {self.address!r}: write http(s)://HOST[:PORT]/PATH")
        if "@" in parts.netloc:
            raise BadSettings(f"{where}: address carries a user; put the token into a file instead")
        if _strange(parts.netloc, {NAMESPACE}) or _strange(parts.path, {NAMESPACE, NAME}):
            fix = f"{NAMESPACE} may stand anywhere, {NAME} in the path, and nothing else in braces"
            raise BadSettings(f"{where}: address {self.address!r}: {fix}")
        if not self.namespaces and NAMESPACE not in self.address:
            fix = f"write {NAMESPACE} into the address, or name the namespaces that may use it"
            raise BadSettings(f"{where}: every namespace would set the same number: {fix}")
        if self.method not in METHODS:
            raise BadSettings(f"{where}: method {self.method!r}: use one of {', '.join(METHODS)}")
        self._refuse_field()

    def _refuse_field(self) -> None:
        try:
            steps = field_path(self.field)
        except ValueError as error:
            raise BadSettings(f"endpoint {self.name}: field: {error}") from error
        if not all(isinstance(step, Key) for step in steps):
            raise BadSettings(f"endpoint {self.name}: field {self.field!r}: name fields only, like limits.max_requests")

    @property
    def path(self) -> FieldPath:
        return field_path(self.field)

    def url(self, key: ResourceKey) -> str:
        return self.address.replace(NAMESPACE, key.namespace).replace(NAME, key.name)

    def is_open_to(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces

    def message(self, body: Mapping[str, Any], value: int) -> dict[str, Any]:
        """What to send to make the number `value`, a text where it is one in `body`, which is what was read."""
        whole: dict[str, Any] = copy.deepcopy(dict(body)) if self.method == "PUT" else {}
        *above, last = [step.name for step in self.path if isinstance(step, Key)]
        place, read = whole, body
        for name in above:
            place, read = place.setdefault(name, {}), read[name]
        place[last] = str(value) if isinstance(read[last], str) else value
        return whole


def offered(endpoints: Collection[EndpointSettings], namespace: str) -> str:
    """In words, what a namespace may use; others' endpoints are not told."""
    names = sorted(one.name for one in endpoints if one.is_open_to(namespace))
    return f"the admin offers: {', '.join(names)}" if names else "the admin offers none to this namespace"


def _strange(text: str, allowed: Collection[str]) -> bool:
    for placeholder in allowed:
        text = text.replace(placeholder, "")
    return "{" in text or "}" in text
