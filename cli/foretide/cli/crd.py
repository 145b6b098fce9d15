"""`foretide crd`: the CustomResourceDefinition of this version, to be applied before the operator starts.

What is NOT promised: that anything is applied; `kubectl` does that, with the rights of whoever runs it.
"""

import typer


def register(app: typer.Typer) -> None:
    app.command(
        "crd",
        help="Print the CustomResourceDefinition, for kubectl to apply.",
        epilog="Example: foretide crd | kubectl apply -f -",
    )(crd)


def crd() -> None:
    from foretide.operator.schema import crd_path

    typer.echo(crd_path().read_text(encoding="utf-8"), nl=False)
