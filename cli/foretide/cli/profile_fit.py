"""`foretide profile fit`: a profile from the user's own measurements, with errors on rows that the fit has not seen.

Promised: the file that is written can be read by `--profiles`, and says which coefficients the data has told and which
stayed with the prior. NOT promised: figures outside the ranges that were measured; the file names them.
"""

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foretide.cli.inspect import table
from foretide.cli.problems import BadInput
from foretide.cli.profile import Gpu, Model, Output, Profiles, Tp, bad_profile, deployed, dump, known_profile
from foretide.cli.profile_file import write_profile
from foretide.cli.replay import Format, in_one_line

if TYPE_CHECKING:
    from foretide.simulator.fit import Coefficient, Fitted
    from foretide.simulator.observed import Observed
    from foretide.simulator.profiles import Deployment, Profile

EXAMPLE = (
    "Example: foretide profile fit measured.csv --model Llama-3.1-8B --gpu H100 --max-num-seqs 128 --out mine.yaml"
)
LIKE = "MODEL:GPU:TP"


class Metric(StrEnum):
    DECODE = "decode"
    PREFILL = "prefill"
    TTFT = "ttft"
    TPOT = "tpot"


def fit_profile(  # noqa: PLR0913 (one for each option)
    *,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Per-request times, a benchmark's result, closed loops or step times."),
    ],
    model: Model,
    gpu: Gpu,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The profile file to write.", show_default=False)],
    tp: Tp = 1,
    like: Annotated[
        str | None, typer.Option("--like", metavar=LIKE, help="The profile to begin with.", show_default="the same")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option("--where", metavar="COLUMN=VALUE", help="Only these rows; repeatable.")
    ] = None,
    kv_tokens: Annotated[
        int | None, typer.Option("--kv-tokens", min=1, help="The engine's KV capacity.", show_default="the prior's")
    ] = None,
    max_num_seqs: Annotated[int, typer.Option("--max-num-seqs", min=1, help="Requests in one batch.")] = 256,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Tokens per step (max_num_batched_tokens).")] = 2048,
    replicas: Annotated[int, typer.Option("--replicas", min=1, help="Replicas behind one door.")] = 1,
    first: Annotated[
        int | None, typer.Option("--first", metavar="K", min=1, help="Fit to the first K requests only.")
    ] = None,
    metric: Annotated[
        Metric | None, typer.Option("--only", help="Fit to these times alone.", show_default="all")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where the times come from.", show_default="the files")
    ] = None,
    date: Annotated[str, typer.Option("--date", help="When they were measured.")] = "",
    profiles: Profiles = None,
    output: Output = Format.TABLE,
) -> None:
    """Fit a profile to measurements, beginning with a known one, and write it to a file."""
    from foretide.simulator.observed import only

    prior = _prior(like, model, gpu, tp, profiles=profiles)
    if kv_tokens is None and like is not None and not _same(prior, model, gpu, tp):
        raise BadInput(field="--kv-tokens", value="", fix=f"give the engine's own figure; {prior.name} is another one")
    deployment = deployed(prior, max_num_seqs=max_num_seqs, chunk=chunk, kv_tokens=kv_tokens)
    observed = _observed(files, _conditions(where or []), deployment, first=first, replicas=replicas)
    if metric is not None:
        observed = only(observed, metric.value)
    fitted = _fitted(observed, prior, files)
    profile = _named(fitted, observed, prior, model=model, gpu=gpu, tp=tp)
    told = source or f"fitted to {observed.described}"
    profile = _dressed(profile, fitted, prior, source=told, date=date, kv_tokens=kv_tokens)
    head = "written by foretide profile fit; the errors are of rows that were held out"
    write_profile(profile, out, head=head)
    if output is Format.TABLE:
        typer.echo("\n".join(report(fitted, observed, out)))
    else:
        dump(summary(profile, fitted), output)


def _prior(like: str | None, model: str, gpu: str, tp: int, *, profiles: Path | None) -> "Profile":
    if like is None:
        try:
            return known_profile(model, gpu, tp, profiles)
        except BadInput as problem:
            fix = f"{problem.fix}; begin with the nearest: --like {LIKE}"
            raise BadInput(field=problem.field, value=problem.value, fix=fix) from problem
    parts = like.rsplit(":", 2)
    if len(parts) != 3 or not parts[2].isdigit():
        raise BadInput(field="--like", value=like, fix=f"write it like {LIKE}, say Llama-3.1-8B:H100:1")
    return known_profile(parts[0], parts[1], int(parts[2]), profiles)


def _same(prior: "Profile", model: str, gpu: str, tp: int) -> bool:
    from foretide.simulator.profiles import gpu_name, short_name

    known = (short_name(prior.model), prior.gpu.upper(), prior.tp)
    return known == (short_name(model), gpu_name(gpu), tp)


def _conditions(where: list[str]) -> dict[str, str]:
    found = {}
    for given in where:
        column, equals, value = given.partition("=")
        if not (column and equals):
            raise BadInput(field="--where", value=given, fix="write it like tensor_parallel=4")
        found[column] = value
    return found


def _observed(
    files: list[Path], where: dict[str, str], deployment: "Deployment", *, first: int | None, replicas: int
) -> "Observed":
    from foretide.simulator.measured import observe
    from foretide.simulator.measurements import read_measurements
    from foretide.simulator.observed import joined
    from foretide.simulator.requests import BadTrace

    with in_one_line():
        read = [(read_measurements(path, where=where), path.name) for path in files]
        try:
            return joined([observe(each, deployment, first=first, replicas=replicas, name=name) for each, name in read])
        except BadTrace:
            raise
        except ValueError as error:
            _, room, fix = (*str(error).split(": ", 2), "", "")[:3]
            raise BadInput(field="--kv-tokens", value=room, fix=fix) from error


def _fitted(observed: "Observed", prior: "Profile", files: list[Path]) -> "Fitted":
    from foretide.simulator.fit import NothingToFit, fit_steps

    try:
        return fit_steps(observed, prior.steps)
    except NothingToFit as error:
        raise BadInput(field="FILE", value=", ".join(path.name for path in files), fix=str(error)) from error


def _named(fitted: "Fitted", observed: "Observed", prior: "Profile", *, model: str, gpu: str, tp: int) -> "Profile":
    """The prior with the fit's numbers, under the names that were asked for."""
    from foretide.simulator.profiles import gpu_name

    return replace(
        prior,
        model=model.rsplit("/", 1)[-1],
        gpu=gpu_name(gpu),
        tp=tp,
        steps=fitted.steps,
        errors=fitted.errors,
        ranges=observed.ranges,
    )


def _dressed(
    profile: "Profile", fitted: "Fitted", prior: "Profile", *, source: str, date: str, kv_tokens: int | None
) -> "Profile":
    from foretide.simulator.profile_file import BadProfile, checked

    kept = [each.name for each in fitted.coefficients if each.free and not each.learned]
    held = f"; not told by the data: {', '.join(kept)}" if kept else ""
    whole = f"{source}; {fitted.form}, from {prior.name}{held}"
    profile = replace(profile, source=whole, date=date)
    if kv_tokens is not None:
        profile = replace(profile, kv_tokens=kv_tokens, kv_source="as its owner gave it")
    try:
        return checked(profile)
    except BadProfile as error:
        raise bad_profile(error) from error


def summary(profile: "Profile", fitted: "Fitted") -> dict[str, Any]:
    """What `-o json` prints: the profile as written, and how it came about."""
    from foretide.simulator.profile_file import as_row

    return {
        "profile": as_row(profile),
        "form": fitted.form,
        "times": fitted.rows,
        "held_out": dict(fitted.held_out),
        "prior_held_out": dict(fitted.prior_held_out),
        "in_sample": dict(fitted.in_sample),
        "coefficients": [
            {"name": each.name, "ms": each.value, "prior_ms": each.prior, "log_sd": each.sd, "learned": each.learned}
            for each in fitted.coefficients
        ],
    }


def _known(each: "Coefficient") -> str:
    if not each.free:
        return "moves with the factor"
    return f"{each.sd:.0%}" if each.learned else "not told by the data"


def report(fitted: "Fitted", observed: "Observed", out: Path) -> list[str]:
    """What was fitted, how well it predicts what it has not seen, and what each coefficient rests on."""
    rows = [
        (
            each.name,
            f"{each.value:.4g}",
            f"{each.prior:.4g}",
            f"{each.value / each.prior:.2f}" if each.prior else "",
            _known(each),
        )
        for each in fitted.coefficients
    ]
    errors = [
        (name, f"{error:.1%}", f"{fitted.prior_held_out[name]:.1%}", f"{fitted.in_sample[name]:.1%}")
        for name, error in fitted.held_out.items()
    ]
    return [
        f"{observed.described}: {fitted.form}",
        "",
        table([("milliseconds", "fitted", "prior", "ratio", "known to"), *rows]),
        "",
        "mean absolute error:",
        table([("", "held out", "prior, the same rows", "all rows"), *errors]),
        "",
        f"written to {out}; use it with --profiles {out}",
    ]
