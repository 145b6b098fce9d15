"""`foretide validate`: all that is wrong with InferenceAutoscaler manifests, before a cluster sees them.

What is NOT promised: that a cluster accepts what passes; its target and profiles are not looked at, and its metric
source with --live only.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from foretide.cli.inspect import Format, Output
from foretide.cli.live import Where
from foretide.cli.live import live as look
from foretide.cli.problems import BadInput


def register(app: typer.Typer) -> None:
    app.command(
        "validate",
        help="Check manifests of InferenceAutoscalers: every mistake in one line with field, value and fix.",
        epilog="Example: foretide validate --live docs/examples/inferenceautoscaler.yaml --prometheus http://127.0.0.1:9090",
    )(validate)


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON; - reads standard input.")],
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Look which of the engine's metrics are there; exit code 1 without demand.")
    ] = False,
    prometheus: Annotated[str | None, typer.Option(help="With --live: what scrapes the engines.")] = None,
    ca: Annotated[Path | None, typer.Option(help="CA certificates of the Prometheus.")] = None,
    token: Annotated[Path | None, typer.Option(help="A file with a bearer token.")] = None,
    scrape_interval: Annotated[str, typer.Option(help="How often it scrapes the engines.")] = "15s",
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Where the target is, in place of the manifest's.")
    ] = None,
    output: Format = Output.TABLE,
) -> None:
    if live == (prometheus is None):
        raise BadInput(field="--prometheus", value=prometheus, fix="give --live and --prometheus together or neither")
    if not live and output is not Output.TABLE:
        raise BadInput(field="--output", value=output.value, fix="give it with --live only")
    bodies, problems = [], 0
    for file in files:
        for number, document in enumerate(documents(file), start=1):
            found = _checked(f"{file}" if number == 1 else f"{file} document {number}", document, quiet=live)
            problems += found
            bodies.append(document)
    if problems:
        raise typer.Exit(2)
    if prometheus and not look(
        bodies, Where(prometheus, ca, token, scrape_interval), namespace=namespace, output=output
    ):
        raise typer.Exit(1)


def _checked(place: str, document: Any, *, quiet: bool) -> int:
    """Prints what is wrong with a document, or unless `quiet` that nothing is; the number of problems."""
    from foretide.operator.resource import API_VERSION, KIND, parse

    if not isinstance(document, dict) or document.get("kind") != KIND:
        kind = document.get("kind") if isinstance(document, dict) else type(document).__name__
        return _told(place, [f"kind: {kind}: expected {KIND}"])
    if document.get("apiVersion") != API_VERSION:
        return _told(place, [f"apiVersion: {document.get('apiVersion')}: expected {API_VERSION}"])
    meta = document.get("metadata") or {}
    if not isinstance(meta, dict):
        return _told(place, [f"metadata: {meta!r}: write fields, like {{name: llama}}"])
    name = meta.get("name")
    if not name:
        return _told(place, ["metadata.name: missing; it is required"])
    if not isinstance(name, str):
        return _told(place, [f"metadata.name: {name!r}: is no text; write it in quotes"])
    problems = parse(document, strict=True).problems
    if not problems and not quiet:
        typer.echo(f"{place}: {name} is valid")
    return _told(place, list(problems))


def _told(place: str, problems: list[str]) -> int:
    for problem in problems:
        sys.stderr.write(f"foretide: {place}: {problem}\n")
    return len(problems)


def documents(file: Path) -> Iterator[Any]:
    """The documents of a manifest, lists unpacked. Raises BadInput."""
    import yaml

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        documents = [document for document in yaml.safe_load_all(text) if document is not None]
    except OSError as error:
        raise BadInput(field="FILE", value=file, fix=f"{error.strerror}; name a manifest") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(field="FILE", value=file, fix=f"is not YAML: {str(error).splitlines()[0]}") from error
    if not documents:
        raise BadInput(field="FILE", value=file, fix="is empty; write an InferenceAutoscaler into it")
    for document in documents:
        listed = isinstance(document, dict) and document.get("kind") == "List"
        yield from _listed(file, document) if listed else [document]


def _listed(file: Path, document: dict[str, Any]) -> list[Any]:
    items = document.get("items")
    if not isinstance(items, list):
        raise BadInput(field="items", value=items, fix=f"write a list of resources into {file}")
    return items
