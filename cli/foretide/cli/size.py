"""`foretide size`: how many replicas a demand needs to keep a promise, without a cluster. Simulated, and said so.

What is NOT promised: an answer for traffic that changes. `foretide replay` is for that.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foretide.cli.problems import BadInput
from foretide.cli.profile import Profiles, deployed, dump, known_profile
from foretide.cli.replay import Format, cache_folder, in_one_line, progress

if TYPE_CHECKING:
    from foretide.policies.flow import LatencyTarget, Objective
    from foretide.simulator.requests import Tokens
    from foretide.simulator.size import Asked, Sized, Tried

EXAMPLE = (
    "Example: foretide size --model Llama-3.1-8B --gpu H100 --rate 40 --prompt-tokens 1000 --output-tokens 200"
    " --ttft 500ms --tpot 25ms"
)
SAMPLES = 20_000
LEAST_TOKENS, MOST_TOKENS = 1.0, 1e6
FLOOR_ROOM = 1.1
"""A threshold this many times the floor leaves a load to carry."""


def register(app: typer.Typer) -> None:
    app.command("size", epilog=EXAMPLE)(size_command)


def size_command(  # noqa: PLR0913 (one for each option)
    *,
    model: Annotated[str, typer.Option("--model", metavar="M", help="A model with a profile.", show_default=False)],
    gpu: Annotated[str, typer.Option("--gpu", metavar="G", help="The kind of GPU.", show_default=False)],
    rate: Annotated[float, typer.Option("--rate", metavar="R", help="Requests/s.", show_default=False)],
    tp: Annotated[int, typer.Option("--tp", min=1, help="GPUs per replica (tensor parallelism).")] = 1,
    prompt_tokens: Annotated[
        float | None, typer.Option("--prompt-tokens", help="Mean; spread as in Azure's conversations.")
    ] = None,
    output_tokens: Annotated[
        float | None, typer.Option("--output-tokens", help="Mean; spread as in Azure's conversations.")
    ] = None,
    lengths: Annotated[
        Path | None, typer.Option("--lengths", metavar="FILE", help="A request trace, for its lengths instead.")
    ] = None,
    ttft: Annotated[str | None, typer.Option("--ttft", help="Time to first token, like 500ms.")] = None,
    tpot: Annotated[str | None, typer.Option("--tpot", help="Time per output token, like 25ms.")] = None,
    e2e: Annotated[str | None, typer.Option("--e2e", help="Whole answer, like 10s.")] = None,
    percentile: Annotated[float, typer.Option("--percentile", help="Of requests within each threshold.")] = 99.0,
    risk: Annotated[
        float, typer.Option("--max-violation-probability", help="Accepted, of a window that breaks a percentile.")
    ] = 0.01,
    spread: Annotated[
        float, typer.Option("--spread", help="How unsure the rate is: sigma of its log; 0 is known.")
    ] = 0.0,
    max_replicas: Annotated[int, typer.Option("--max-replicas", min=1, max=100_000, help="Allowed.")] = 64,
    max_num_seqs: Annotated[int, typer.Option("--max-num-seqs", min=1, help="Requests in one batch.")] = 256,
    chunk: Annotated[int, typer.Option("--chunk", min=1, help="Tokens per step (max_num_batched_tokens).")] = 2048,
    kv_tokens: Annotated[
        int | None, typer.Option("--kv-tokens", min=1, help="The engine's KV capacity.", show_default="the profile's")
    ] = None,
    speed_factor: Annotated[float, typer.Option("--speed-factor", help="Times slower than the profile.")] = 1.0,
    profiles: Profiles = None,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the answer is printed.")] = Format.TABLE,
) -> None:
    """Say how many replicas a demand needs, what one more or fewer would risk, and what decides it. Simulated."""
    from foretide.simulator.size import Asked, Floor, size

    _check("--rate", rate, low=0.001, high=1e6, unit="requests/s")
    _check("--spread", spread, low=0.0, high=2.0, unit="as a sigma of the log")
    _check("--speed-factor", speed_factor, low=0.1, high=10.0, unit="times slower")
    objective = _objective({"ttft": ttft, "tpot": tpot, "e2e": e2e}, percentile, risk)
    deployment = deployed(
        known_profile(model, gpu, tp, profiles),
        max_num_seqs=max_num_seqs,
        chunk=chunk,
        kv_tokens=kv_tokens,
        speed_factor=speed_factor,
    )
    with in_one_line():
        prompts, outputs = _lengths(lengths, prompt_tokens, output_tokens)
        longest = int((prompts + outputs).max())
        if longest > deployment.room:
            raise BadInput(field="--kv-tokens", value=deployment.room, fix=f"a request of {longest} tokens never fits")
        asked = Asked(deployment, objective, rate, prompts, outputs, spread, max_replicas)
        with progress() as told:
            found = size(asked, cache=cache_folder(), progress=lambda share: told("capacity", share))
    if isinstance(found, Floor):
        raise _impossible(asked, found.reached)
    _print(asked, found, output)


def _check(field: str, value: float, *, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise BadInput(field=field, value=value, fix=f"give {low:g} to {high:g} {unit}")


def _objective(written: dict[str, str | None], percentile: float, risk: float) -> "Objective":
    from foretide.policies.flow import Objective

    if not 0 < percentile < 100:
        raise BadInput(field="--percentile", value=percentile, fix="give more than 0 and less than 100")
    if not 0 < risk < 1:
        raise BadInput(field="--max-violation-probability", value=risk, fix="give more than 0 and less than 1")
    targets = {name: _target(name, text, percentile) for name, text in written.items() if text is not None}
    if not targets:
        raise BadInput(field="--ttft, --tpot, --e2e", value=None, fix="give at least one, like --ttft 500ms")
    return Objective(
        ttft=targets.get("ttft"), tpot=targets.get("tpot"), e2e=targets.get("e2e"), max_violation_probability=risk
    )


def _target(name: str, text: str, percentile: float) -> "LatencyTarget":
    from foretide.policies.flow import LatencyTarget
    from foretide.simulator.written import seconds

    try:
        threshold = seconds(text)
    except ValueError as error:
        raise BadInput(field=f"--{name}", value=text, fix=str(error)) from error
    if not 0.001 <= threshold <= 3600:
        raise BadInput(field=f"--{name}", value=text, fix="give 1ms to 1h")
    return LatencyTarget(percentile, threshold)


def _lengths(path: Path | None, prompt: float | None, output: float | None) -> tuple["Tokens", "Tokens"]:
    import numpy as np

    from foretide.simulator.lengths import output_lengths, prompt_lengths
    from foretide.simulator.requests import read_requests

    if path is not None:
        if prompt is not None or output is not None:
            raise BadInput(field="--lengths", value=path.name, fix="give it, or means of tokens, not both")
        trace = read_requests(path)
        return trace.prompt_tokens, trace.output_tokens
    for field, value in (("--prompt-tokens", prompt), ("--output-tokens", output)):
        if value is None:
            raise BadInput(field=field, value=None, fix="give a mean like 1000, or --lengths with a trace")
        _check(field, value, low=LEAST_TOKENS, high=MOST_TOKENS, unit="tokens")
    rng = np.random.default_rng(0)
    return prompt_lengths(rng, SAMPLES, mean=prompt or 0.0), output_lengths(rng, SAMPLES, mean=output or 0.0)


def _impossible(asked: "Asked", reached: dict[str, float]) -> BadInput:
    """The first objective that the hardware cannot keep, its floor, and a threshold that leaves room for a load."""
    declared = asked.objective.declared()
    name = max(reached, key=lambda each: reached[each] / declared[each].threshold_s)
    floor, target = reached[name], declared[name]
    near = FLOOR_ROOM * floor
    profile = asked.deployment.profile
    return BadInput(
        field=f"--{name}",
        value=f"p{target.percentile:g} within {1000 * target.threshold_s:g} ms",
        fix=f"{profile.gpu} x {profile.tp} reaches {1000 * floor:.0f} ms at best, with no load: allow some "
        f"{1000 * near:.0f}ms, or take a faster accelerator or more GPUs per replica",
    )


def _print(asked: "Asked", found: "Sized", output: Format) -> None:
    told = _told(asked, found)
    if output is not Format.TABLE:
        dump(told, output)
    else:
        console = Console(highlight=False)
        console.print(_sentence(asked, found), markup=False, soft_wrap=True)
        console.print(_table(found))
        console.print(f"capacity: {found.service.source}", markup=False, soft_wrap=True)


def _told(asked: "Asked", found: "Sized") -> dict[str, Any]:
    profile = asked.deployment.profile
    enough = found.replicas <= asked.most
    return {
        "simulated": True,
        "model": profile.model,
        "gpu": profile.gpu,
        "tp": profile.tp,
        "rate": asked.rate,
        "spread": asked.spread,
        "replicas": found.replicas if enough else None,
        "gpus": found.replicas * profile.tp if enough else None,
        "binding": found.binding if enough else "maxReplicas",
        "max_violation_probability": asked.objective.max_violation_probability,
        "capacity_source": found.service.source,
        "tried": [asdict(tried) for tried in found.tried],
    }


def _sentence(asked: "Asked", found: "Sized") -> str:
    profile = asked.deployment.profile
    if found.replicas > asked.most:
        return f"{asked.rate:g} requests/s need more than {asked.most} replicas: raise --max-replicas"
    gpus = f", {found.replicas * profile.tp} GPUs" if profile.tp > 1 else ""
    return (
        f"{found.replicas} replicas of {profile.model} on {profile.gpu} x {profile.tp}{gpus} for {asked.rate:g} "
        f"requests/s; {found.binding} decides"
    )


def _table(found: "Sized") -> Table:
    shown = Table(title="risk by the decision's model; the rest simulated at that rate", box=None)
    heads = ("replicas", "risk", "windows broken", "kept", "p99 TTFT", "p99 TPOT")
    for head in heads:
        shown.add_column(head, justify="right", no_wrap=True)
    for tried in found.tried:
        shown.add_row(*_row(tried, chosen=tried.replicas == found.replicas))
    return shown


def _row(tried: "Tried", *, chosen: bool) -> list[str]:
    def milliseconds(times: dict[str, float | None]) -> str:
        value = times["p99"]
        return "-" if value is None else f"{1000 * value:,.0f} ms"

    return [
        f"{tried.replicas}{' <' if chosen else '  '}",
        f"{tried.violation_probability:.3f}",
        f"{100 * tried.windows_broken:.0f} %",
        f"{100 * tried.joint:.2f} %",
        milliseconds(tried.ttft_s),
        milliseconds(tried.tpot_s),
    ]
