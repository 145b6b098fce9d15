"""`foretide tune-train`: trains a network for the concurrency tuner, in an environment with the extra `train`.

Promised: progress as it learns, and a card with everything that it was made from. NOT promised: that it beats n*.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foretide.cli.problems import BadInput
from foretide.cli.replay import into, writable
from foretide.cli.training import needs_training

if TYPE_CHECKING:
    from foretide.cli.limit_training import Judged, Trained

NEEDED = ("torch", "stable_baselines3", "gymnasium", "onnx")
EXAMPLE = "Example: foretide tune-train --out out/limit-network --steps 20480 --seeds 0,1"


def register(app: typer.Typer) -> None:
    app.command("tune-train", epilog=EXAMPLE)(tune_train)


def tune_train(
    *,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the network; made if needed.", show_default=False)
    ],
    steps: Annotated[int, typer.Option("--steps", min=2048, help="Windows that each seed learns from.")] = 20_480,
    seeds: Annotated[str, typer.Option("--seeds", metavar="N[,N...]", help="One training for each.")] = "0,1",
) -> None:
    """Train a network that proposes concurrency limits, on simulated development traffic.

    Writes policy.onnx, card.json, curves.json and curves.svg to DIR; try it with `foretide tune --network DIR`.
    """
    chosen = _seeds(seeds)
    needs_training(NEEDED)
    from foretide.cli.limit_training import Recipe, about, train
    from foretide.simulator.limit_network import opened, write

    writable(out)
    recipe = Recipe(steps=steps, seeds=chosen)
    typer.echo("seed     steps   mean gain over n*   worst set-up")
    found = train(recipe, told=_line)
    assert found.pair is not None
    assert found.judged is not None
    with into(out):
        write(out, found.graph, pair=found.pair, told=about(recipe, found))
        (out / "curves.json").write_text(json.dumps(found.curves, indent=1) + "\n", encoding="utf-8")
        (out / "curves.svg").write_text(draw(found), encoding="utf-8")
    opened(out)
    typer.echo(
        f"kept: seed {found.seed} at {found.steps} steps, {found.judged.mean:+.1%}, worst {found.judged.worst:+.1%}"
    )


def _seeds(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise BadInput(field="--seeds", value=text, fix="give whole numbers, like 0,1,2")
    return tuple(dict.fromkeys(map(int, parts)))


def _line(seed: int, steps: int, judged: "Judged") -> None:
    typer.echo(f"{seed:4d} {steps:9d} {judged.mean:18.1%} {judged.worst:14.1%}")


def draw(found: "Trained") -> str:
    """Mean and worst gain over n* on development set-ups while it learnt, as SVG."""
    import io

    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from foretide.cli.plots import RC

    with rc_context(RC):
        figure = Figure(figsize=(8.0, 3.6), layout="constrained")
        axes = figure.subplots()
        for seed, curve in found.curves.items():
            steps, mean, worst = zip(*curve, strict=True)
            (line,) = axes.plot(steps, [100 * value for value in mean], lw=1.4, label=f"seed {seed}, mean")
            axes.plot(steps, [100 * value for value in worst], lw=1.0, ls=":", color=line.get_color(), label="worst")
        axes.axhline(0.0, color="black", lw=0.8)
        axes.set(xlabel="windows learnt from", ylabel="goodput over n*, %", title="development set-ups, simulated")
        axes.legend(loc="lower right", ncols=2)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()
