"""Writes docs/reference: the resource from its CRD, the command line from its own declarations.

    python docs/site/reference.py        (make reference)

Promised: the same code gives the same pages, on every machine; tests/unit/test_reference.py holds the committed ones
equal.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import typer
import yaml

from foretide.cli.main import app
from foretide.operator.schema import crd_path

FOLDER = Path(__file__).parents[1] / "reference"
MADE = "<!-- Made by docs/site/reference.py (make reference); edits are lost. -->\n"


def pages() -> dict[str, str]:
    """File name -> its text."""
    return {"resource.md": resource_page(), "cli.md": command_page()}


def resource_page() -> str:
    """Every field of spec and status, with type, default and meaning."""
    crd = yaml.safe_load(crd_path().read_text(encoding="utf-8"))
    (version,) = crd["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    head = f"# InferenceAutoscaler {version['name']}\n\n{schema['description']}\n"
    parts = [_table(name, schema["properties"][name]) for name in ("spec", "status")]
    rules = "\n".join(f"- {rule}" for rule in _rules("spec", schema["properties"]["spec"]))
    return "\n".join([MADE + head, *parts, "## What is refused beyond that\n", rules, ""])


def _table(name: str, schema: Mapping[str, Any]) -> str:
    rows = [
        f"| `{path}` | {_kind(field)} | {_shown(field.get('default'))} | {_words(field.get('description', ''))} |"
        for path, field in _fields(name, schema)
    ]
    return "\n".join([f"## {name}\n", "| field | type | default | |", "|---|---|---|---|", *rows, ""])


def _fields(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each field below, with a star where it must be given; of a list, the fields of its items."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        own = f"{path}.{name}"
        yield own + ("*" if name in required else ""), field
        yield from _fields(own, field)
        yield from _fields(f"{own}[]", field.get("items", {}))


def _kind(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    limits = [f"{word} {field[key]}" for word, key in (("from", "minimum"), ("to", "maximum")) if key in field]
    kind = "list" if field.get("type") == "array" else str(field.get("type", ""))
    return " ".join([kind, *limits])


def _rules(path: str, schema: Mapping[str, Any]) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        message = _words(rule.get("message", rule["rule"])).replace("[", "\\[")
        yield f"`{path}{rule.get('fieldPath', '')}`: {message}"
    for name, field in schema.get("properties", {}).items():
        yield from _rules(f"{path}.{name}", field)
        yield from _rules(f"{path}.{name}[]", field.get("items", {}))


def command_page() -> str:
    """Every command with its arguments and options."""
    command: Any = typer.main.get_command(app)
    said = "The same as `foretide COMMAND --help`. As `kubectl foretide` it is a plugin of kubectl."
    head = f"# The command line\n\n{said}\n"
    return "\n".join([MADE + head, *_commands("foretide", command)])


def _commands(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner:
        yield _command(name, command)
    for each, found in inner.items():
        if not found.hidden:
            yield from _commands(f"{name} {each}", found)


def _command(name: str, command: Any) -> str:
    arguments = " ".join(_argument(each) for each in command.params if _is_argument(each))
    rows = [_option(each) for each in command.params if not each.hidden]
    usage = f"{name} {arguments}".strip()
    lines = [f"## {name}\n", _words(command.help or "") + "\n", f"    {usage} [OPTIONS]\n"]
    if rows:
        lines += ["| | default | |", "|---|---|---|", *rows, ""]
    if command.epilog:
        lines += [f"    {command.epilog.removeprefix('Example: ')}\n"]
    return "\n".join(lines)


def _is_argument(parameter: Any) -> bool:
    return not str(parameter.opts[0]).startswith("-")


def _argument(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name).upper()


def _option(parameter: Any) -> str:
    names = [_argument(parameter)] if _is_argument(parameter) else [*parameter.opts, *parameter.secondary_opts]
    limits = [
        f"{word} {value}" for word, value in (("from", parameter.min), ("to", parameter.max)) if value is not None
    ]
    told = " ".join([_words(parameter.help or ""), f"({', '.join(limits)})" if limits else ""]).strip()
    default = "required" if parameter.required else _shown(parameter.default)
    return f"| {', '.join(f'`{name}`' for name in names)} | {default} | {told} |"


def _shown(value: Any) -> str:
    """A default as one would type it; nothing where there is none."""
    if value is None or value in ("", [], ()):
        return ""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Path):
        return f"`{value.as_posix()}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _words(text: str) -> str:
    """On one line, and safe in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
