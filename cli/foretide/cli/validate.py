"""`foretide validate`: all that is wrong with InferenceAutoscaler manifests, before a cluster sees them.

What is NOT promised: that a cluster accepts what passes; its target, metric source and profiles are not looked at.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from foretide.cli.problems import BadInput


def register(app: typer.Typer) -> None:
    app.command(
        "validate",
        help="Check manifests of InferenceAutoscalers: every mistake in one line with field, value and fix.",
        epilog="Example: foretide validate docs/examples/inferenceautoscaler.yaml",
    )(validate)


def validate(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON; - reads standard input.")],
) -> None:
    problems = 0
    for file in files:
        for number, document in enumerate(documents(file), start=1):
            problems += _checked(f"{file}" if number == 1 else f"{file} document {number}", document)
    if problems:
        raise typer.Exit(2)


def _checked(place: str, document: Any) -> int:
    """Prints what is wrong with a document, or that nothing is; the number of problems."""
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
    if not problems:
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
