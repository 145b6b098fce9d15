"""`foretide profile`: which step times there are, what they say, and new ones from measurements.

Promised: what `list` and `show` print is what `simulate` and `replay` use. NOT promised: that a profile is your engine;
compare it with your own measurements (`profile fit`).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from foretide.cli.inspect import table
from foretide.cli.problems import BadInput
from foretide.cli.replay import Format

if TYPE_CHECKING:
    from foretide.simulator.profiles import Deployment, Profile

COMPILED = "Example: foretide profile compile --model Qwen/Qwen3-8B --gpu H200 --kv-tokens 735000 --out qwen3-8b.yaml"
HEAD = ("MODEL", "GPU", "TP", "KV TOKENS", "DECODE", "PREFILL", "TTFT", "TPOT", "SOURCE")
BATCHES = (1, 8, 16, 32, 64, 128, 256)
CONTEXTS = (128, 1024, 4096, 8192, 32768)
PROMPTS = (128, 512, 1024, 2048, 4096, 8192)

Profiles = Annotated[
    Path | None,
    typer.Option(
        "--profiles",
        metavar="FILE_OR_DIR",
        envvar="FORETIDE_PROFILES",
        help="Your own profiles, looked up first.",
        show_default=False,
    ),
]
Model = Annotated[str, typer.Option("--model", metavar="M", help="Whose step times.", show_default=False)]
Gpu = Annotated[str, typer.Option("--gpu", metavar="G", help="The kind of GPU.", show_default=False)]
Tp = Annotated[int, typer.Option("--tp", min=1, help="GPUs per replica (tensor parallelism).")]
Output = Annotated[Format, typer.Option("-o", "--output", help="How it is printed.")]


def register(app: typer.Typer) -> None:
    from foretide.cli.profile_compile import compile_profile
    from foretide.cli.profile_fit import EXAMPLE, fit_profile

    group = typer.Typer(no_args_is_help=True, help="Step times of models on GPUs: list, show, fit, compile.")
    group.command("list", epilog="Example: foretide profile list --gpu H100 -o json")(list_profiles)
    group.command("show", epilog="Example: foretide profile show --model Llama-3.1-8B --gpu H100 --plot steps.svg")(
        show_profile
    )
    group.command("fit", epilog=EXAMPLE)(fit_profile)
    group.command("compile", epilog=COMPILED)(compile_profile)
    app.add_typer(group, name="profile")


def list_profiles(
    *,
    model: Annotated[str, typer.Option("--model", metavar="M", help="Only models with this in their name.")] = "",
    gpu: Annotated[str, typer.Option("--gpu", metavar="G", help="Only this kind of GPU.")] = "",
    profiles: Profiles = None,
    output: Output = Format.TABLE,
) -> None:
    """All profiles, your own first: KV tokens, source, and errors where they are known."""
    from foretide.simulator.profiles import gpu_name

    known = every_profile(profiles)
    family = gpu_name(gpu, known)
    found = [each for each in known if model.lower() in each.model.lower() and (not gpu or each.gpu.upper() == family)]
    if not found:
        there = f"there are {', '.join(sorted({each.gpu for each in known}))}"
        raise BadInput(field="--model, --gpu", value=f"{model} {gpu}".strip(), fix=f"no profile; {there}")
    if output is Format.TABLE:
        typer.echo("\n".join(listed(found)))
    else:
        dump([_row(each) for each in found], output)


def show_profile(
    *,
    model: Model,
    gpu: Gpu,
    tp: Tp = 1,
    profiles: Profiles = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it too: .svg or .png.", show_default=False)
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """What a profile says: decode steps over batch and context, and prompts."""
    found = known_profile(model, gpu, tp, profiles)
    if plot is not None:
        _plot(found, plot)
    if output is Format.TABLE:
        typer.echo("\n".join(shown(found)))
    else:
        dump(_row(found) | {"decode_ms": _decodes(found), "prefill_ms": _prefills(found)}, output)


def every_profile(place: Path | None) -> list["Profile"]:
    """The user's own, then the shipped ones that no own one stands for. Raises BadInput."""
    from foretide.simulator.profile_file import BadProfile, own_profiles
    from foretide.simulator.profiles import profiles, short_name

    try:
        own = own_profiles(place)
    except BadProfile as error:
        raise bad_profile(error) from error
    taken = {(short_name(each.model), each.gpu.upper(), each.tp) for each in own}
    shipped = [each for each in profiles() if (short_name(each.model), each.gpu.upper(), each.tp) not in taken]
    return [*own, *shipped]


def known_profile(model: str, gpu: str, tp: int, place: Path | None) -> "Profile":
    """The profile that a command asks for. Raises BadInput."""
    from foretide.simulator.profile_file import BadProfile, own_profiles
    from foretide.simulator.profiles import NoProfile, find_profile

    try:
        return find_profile(model=model, gpu=gpu, tp=tp, own=own_profiles(place))
    except NoProfile as error:
        raise BadInput(field="--model, --gpu, --tp", value=f"{model} {gpu} {tp}", fix=str(error)) from error
    except BadProfile as error:
        raise bad_profile(error) from error


def deployed(profile: "Profile", **settings: Any) -> "Deployment":
    """The profile with an engine's settings. Raises BadInput naming the option for what no engine could be."""
    from foretide.simulator.profiles import Deployment

    try:
        return Deployment(profile, **settings)
    except ValueError as error:
        field, value, fix = (*str(error).split(": ", 2), "", "")[:3]
        raise BadInput(field=f"--{field.replace('_', '-')}", value=value, fix=fix) from error


def bad_profile(error: Any) -> BadInput:
    """All problems of a BadProfile in one line."""
    first, *others = error.problems
    also = f" (also wrong: {'; '.join(str(problem) for problem in others)})" if others else ""
    return BadInput(field=first.field, value=first.value, fix=first.fix + also)


def dump(value: Any, output: Format) -> None:
    typer.echo(
        json.dumps(value, indent=2) if output is Format.JSON else yaml.safe_dump(value, sort_keys=False).rstrip()
    )


def listed(found: Sequence["Profile"]) -> list[str]:
    """A row for each profile, then the sources that the rows number."""
    sources = list(dict.fromkeys((each.origin, each.source) for each in found))
    rows = [
        (
            each.model,
            each.gpu,
            str(each.tp),
            f"{each.kv_tokens:,}",
            *map(_percent, (each.errors.decode, each.errors.prefill, each.errors.ttft, each.errors.tpot)),
            f"[{sources.index((each.origin, each.source)) + 1}]",
        )
        for each in found
    ]
    notes = [f"[{number}] {origin}: {source}" for number, (origin, source) in enumerate(sources, start=1)]
    return [table([HEAD, *rows]), "", *notes]


def shown(profile: "Profile") -> list[str]:
    """Milliseconds over batch and context, and over prompts."""
    decodes, prefills = _decodes(profile), _prefills(profile)
    cells = [[str(row["batch"]), *_across(decodes, row["batch"])] for row in decodes[:: len(CONTEXTS)]]
    prompts = [[f"{row['tokens']:,}", f"{row['ms']:,.1f}", f"{row['tokens_per_s']:,.0f}"] for row in prefills]
    dated = f", {profile.date}" if profile.date else ""
    return [
        f"{profile.model} on {profile.tp} x {profile.gpu} ({profile.origin}{dated}): {profile.provenance}",
        f"KV cache: {profile.kv_tokens:,} tokens, {profile.kv_source}",
        f"fitted to: {_ranges(profile)}",
        "",
        "decode step, ms, by requests in the batch and tokens of context each (- does not fit into the cache):",
        table([["batch", *(f"{context:,}" for context in CONTEXTS)], *cells]),
        "",
        "one prompt alone:",
        table([["tokens", "ms", "tokens/s"], *prompts]),
    ]


def _across(decodes: Sequence[dict[str, Any]], batch: int) -> list[str]:
    return ["-" if row["ms"] is None else f"{row['ms']:,.1f}" for row in decodes if row["batch"] == batch]


def _decodes(profile: "Profile") -> list[dict[str, Any]]:
    return [
        {
            "batch": batch,
            "context": context,
            "ms": profile.steps.decode_ms(decodes=batch, context=context)
            if batch * context <= profile.kv_tokens
            else None,
        }
        for batch in BATCHES
        for context in CONTEXTS
    ]


def _prefills(profile: "Profile") -> list[dict[str, Any]]:
    times = [(tokens, profile.steps.prefill_ms(tokens)) for tokens in PROMPTS if tokens <= profile.kv_tokens]
    return [{"tokens": tokens, "ms": ms, "tokens_per_s": 1000.0 * tokens / ms} for tokens, ms in times]


def _ranges(profile: "Profile") -> str:
    known = {
        "batch": profile.ranges.batch,
        "context": profile.ranges.context,
        "prompt": profile.ranges.prompt,
    }
    told = [f"{name} {low:,.0f} to {high:,.0f}" for name, bounds in known.items() if bounds for low, high in [bounds]]
    return ", ".join(told) or "ranges that its owner did not give"


def _row(profile: "Profile") -> dict[str, Any]:
    from foretide.simulator.profile_file import as_row

    return as_row(profile) | {"origin": profile.origin}


def _percent(error: float | None) -> str:
    return "" if error is None else f"{error:.1%}"


def _plot(profile: "Profile", path: Path) -> None:
    from foretide.cli.profile_plot import FORMATS, draw_profile

    if path.suffix not in FORMATS:
        raise BadInput(field="--plot", value=path, fix=f"name a file that ends in {' or '.join(FORMATS)}")
    drawn = draw_profile(profile, batches=BATCHES, contexts=CONTEXTS, suffix=path.suffix)
    try:
        path.write_bytes(drawn)
    except OSError as error:
        raise BadInput(field="--plot", value=path, fix=f"{error.strerror}; name a file that can be written") from error
