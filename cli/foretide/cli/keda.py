"""`foretide keda`: the ScaledObject with which KEDA carries out what Foretide decides, to be applied by kubectl.

The manifest goes to standard output, advice to standard error. What is NOT promised: that KEDA is there, or that the
operator answers it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.inspect import Context, Kubeconfig, fetched
from foretide.cli.problems import BadInput
from foretide.cli.validate import documents

if TYPE_CHECKING:
    from foretide.operator.resource import Resource

ADDRESS = "foretide-keda.foretide.svc:9091"
NO_FALLBACK = "none"
HPA_TOLERATES = 10
"""Replicas from which on a tenth is a whole one."""


def register(app: typer.Typer) -> None:
    app.command(
        "keda",
        help="Print the ScaledObject with which KEDA scales a target as Foretide decides (spec.actuation: keda).",
        epilog="Example: foretide keda prod/llama | kubectl apply -f -",
    )(keda)


def keda(
    target: Annotated[
        str, typer.Argument(metavar="NAMESPACE/NAME|FILE", help="An InferenceAutoscaler, or a manifest; - reads one.")
    ],
    *,
    address: Annotated[str, typer.Option(help="HOST:PORT at which KEDA reaches the operator.")] = ADDRESS,
    fallback: Annotated[
        str, typer.Option(help="Replicas while there is no answer, or none: KEDA holds. Default: the last safe count.")
    ] = "",
    keda_version: Annotated[str, typer.Option(help="Of the KEDA that will read it.")] = "2.17",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    import yaml

    from foretide.operator.keda.scaled_object import scaled_object

    version = _version(keda_version)
    _check_address(address)
    found = [(_resource(body), body) for body in _bodies(target, kubeconfig, context)]
    manifests = [
        scaled_object(resource, address=address, fallback=_fallback(fallback, resource, body), version=version)
        for resource, body in found
    ]
    typer.echo(yaml.safe_dump_all(manifests, sort_keys=False), nl=False)
    for line in _advice([resource for resource, _ in found], manifests, target):
        sys.stderr.write(f"foretide: {line}\n")


def _bodies(target: str, kubeconfig: Path | None, context: str | None) -> Iterator[Any]:
    path = Path(target)
    if target == "-" or path.suffix in (".yaml", ".yml", ".json") or path.is_file():
        yield from documents(path)
    else:
        yield fetched(target, kubeconfig, context)


def _resource(body: Any) -> "Resource":
    """The resource of a document. Raises BadInput."""
    from foretide.operator.resource import BY_KEDA, KIND, parse

    kind = body.get("kind", KIND) if isinstance(body, dict) else type(body).__name__
    if kind != KIND:
        raise BadInput(field="kind", value=kind, fix=f"give a manifest of {KIND}s alone")
    parsed = parse(body)
    if parsed.resource is None:
        field, _, rest = parsed.problems[0].partition(": ")
        raise BadInput(field=field, value=None, fix=rest)
    if not parsed.resource.key.name:
        raise BadInput(field="metadata.name", value=None, fix="missing; it is required")
    if parsed.resource.actuation != BY_KEDA:
        fix = "set `actuation: keda` first; otherwise the operator and KEDA would both write the replicas"
        raise BadInput(field="spec.actuation", value=parsed.resource.actuation, fix=fix)
    return parsed.resource


def _fallback(text: str, resource: "Resource", body: Any) -> int | None:
    from foretide.operator.keda.scaled_object import last_safe_count

    if text == NO_FALLBACK:
        return None
    if not text:
        return last_safe_count(resource, body.get("status") or {})
    least, most = max(1, resource.pool.min_replicas), resource.pool.max_replicas
    if not text.isdecimal() or not least <= int(text) <= most:
        # With a fallback of 0 KEDA takes an error for an order to scale to zero.
        raise BadInput(field="--fallback", value=text, fix=f"write a count between {least} and {most}, or none")
    return int(text)


def _version(text: str) -> tuple[int, int]:
    from foretide.operator.keda.scaled_object import OLDEST

    found = re.fullmatch(r"v?(\d+)\.(\d+)(\.\d+)?", text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise BadInput(field="--keda-version", value=text, fix=f"write it like 2.17; {oldest} is the oldest")
    return version


def _check_address(text: str) -> None:
    host, _, port = text.rpartition(":")
    if not host or "/" in text or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise BadInput(field="--address", value=text, fix=f"write HOST:PORT, like {ADDRESS}")


def _advice(resources: "list[Resource]", manifests: list[dict[str, Any]], target: str) -> Iterator[str]:
    yield f"apply it with `foretide keda {target} | kubectl apply -f -`, once the operator serves KEDA (keda.enabled)"
    if any("fallback" not in manifest["spec"] for manifest in manifests):
        yield "it has no fallback: while there is no answer, KEDA leaves the count as it is"
    if any(resource.pool.max_replicas > HPA_TOLERATES for resource in resources):
        yield "KEDA's HPA leaves differences of a tenth and less alone: above ten replicas a step of one may wait"
