"""`foretide profile compile`: a profile from AIConfigurator's kernel tables, with the extra `aic`.

Promised: without that package one line says so, and nothing else needs it. NOT promised: models that its tables do not
cover; for those whose configuration it lacks, that package asks the model's hub.
"""

from pathlib import Path
from typing import Annotated

import typer

from foretide.cli.problems import BadInput
from foretide.cli.profile import Gpu, Model, Output, Tp, bad_profile, dump, shown
from foretide.cli.profile_file import write_profile
from foretide.cli.replay import Format


def compile_profile(
    *,
    model: Model,
    gpu: Gpu,
    kv_tokens: Annotated[
        int,
        typer.Option("--kv-tokens", min=1, help="The engine's KV capacity, from its log.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The profile file to write.", show_default=False)],
    tp: Tp = 1,
    output: Output = Format.TABLE,
) -> None:
    """Compile a profile from kernel tables (needs the extra `aic`), and write it to a file."""
    from foretide.simulator import aic
    from foretide.simulator.profile_file import BadProfile, as_row, checked

    try:
        profile = checked(aic.compile_profile(model=model, gpu=gpu, tp=tp, kv_tokens=kv_tokens))
    except aic.NotCompiled as error:
        raise BadInput(field="--model, --gpu, --tp", value=f"{model} {gpu} {tp}", fix=str(error)) from error
    except BadProfile as error:
        raise bad_profile(error) from error
    write_profile(profile, out, head="written by foretide profile compile")
    if output is Format.TABLE:
        typer.echo("\n".join([*shown(profile), "", f"written to {out}; use it with --profiles {out}"]))
    else:
        dump(as_row(profile), output)
