"""`foretide tune`: agents that set a replica's concurrency limit, on a named set-up, with or without the shield.

Promised: the same seed gives the same files. NOT promised: anything about a cluster. All of it is simulated; on a
cluster `foretide tuner` is what acts.
"""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml
from rich.console import Console
from rich.table import Table

from foretide.cli.problems import BadInput
from foretide.cli.replay import Format, into, progress, writable
from foretide.cli.style import percent

if TYPE_CHECKING:
    from foretide.policies.concurrency.limit_rule import Rule
    from foretide.policies.concurrency.window import Agent
    from foretide.simulator.tuned import Setup

    Maker = Callable[["Setup", int], Agent]

EXAMPLE = "Example: foretide tune gateway-shift --agent rule,bandit --shield --out out/tune"


def register(app: typer.Typer) -> None:
    app.command("tune", epilog=EXAMPLE)(tune_command)


def tune_command(
    *,
    scenario: Annotated[str, typer.Argument(metavar="NAME", help="A named set-up; a wrong one lists them all.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    agent: Annotated[
        str,
        typer.Option("--agent", metavar="A[,B...]", help="Of rule, qlearning, bandit, network, or a limit like 100."),
    ] = "rule,qlearning,bandit",
    network: Annotated[
        Path | None, typer.Option("--network", metavar="DIR", help="Of `tune-train`; without one: the shipped network.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same arrivals.")] = 0,
    shield: Annotated[
        bool, typer.Option("--shield", help="A fleet of ten: proposals go to a canary and are adopted when proven.")
    ] = False,
    output: Annotated[Format, typer.Option("-o", "--output", help="How the result is printed.")] = Format.TABLE,
) -> None:
    """Tune how many requests one replica takes at once, simulated.

    Writes summary.json and tune.svg to DIR.
    """
    setup, made = _setup(scenario), {name: _maker(name, network) for name in _names(agent)}
    writable(out)
    with progress() as told:
        rows = []
        for done, (name, maker) in enumerate(made.items()):
            told("agents", done / len(made))
            rows.append({"agent": name} | _ran(maker(setup, seed), setup, seed=seed, shield=shield))
    summary = {
        "scenario": scenario,
        "simulated": True,
        "seed": seed,
        "shield": shield,
        "window_s": setup.window_s,
        "agents": rows,
    }
    with into(out):
        (out / "summary.json").write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (out / "tune.svg").write_text(draw(summary), encoding="utf-8")
    _print(summary, output)


def _setup(name: str) -> "Setup":
    from foretide.simulator.tuning_setups import setups

    if name not in setups():
        raise BadInput(field="NAME", value=name, fix=f"give one of {', '.join(setups())}")
    return setups()[name]


def _names(text: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise BadInput(field="--agent", value=text, fix="give at least one of rule, qlearning, bandit, network")
    return names


def _maker(name: str, network: Path | None) -> "Maker":
    from foretide.policies.concurrency.limit_rule import Fixed
    from foretide.policies.concurrency.qlearning import QLearning
    from foretide.policies.concurrency.safe_bayes import SafeBayes

    known: dict[str, Maker] = {
        "rule": lambda setup, _: _rule(setup),
        "qlearning": lambda setup, seed: QLearning(seed=seed, bounds=setup.bounds),
        "bandit": lambda setup, _: SafeBayes(_rule(setup), bounds=setup.bounds),
    }
    if name in known:
        return known[name]
    if name == "network":
        return _trained(network)
    if name.isdecimal() and int(name) >= 1:
        return lambda *_: Fixed(int(name))
    raise BadInput(
        field="--agent", value=name, fix="give rule, qlearning, bandit, network, or a whole limit of at least 1"
    )


def _trained(folder: Path | None) -> "Maker":
    from foretide.policies.concurrency.network_agent import NetworkAgent
    from foretide.simulator.limit_network import SHIPPED, BadNetwork, opened

    try:
        scores = opened(folder or SHIPPED)
    except BadNetwork as error:
        raise BadInput(field="--network", value=None, fix=str(error)) from error
    return lambda setup, _: NetworkAgent(scores, _rule(setup), bounds=setup.bounds)


def _rule(setup: "Setup") -> "Rule":
    from foretide.policies.concurrency.limit_rule import Rule
    from foretide.simulator.tuned import step_model

    return Rule(step_model(setup.deployment), tpot_s=setup.tpot_s, bounds=setup.bounds)


def _ran(agent: "Agent", setup: "Setup", *, seed: int, shield: bool) -> dict[str, Any]:
    from foretide.policies.concurrency.shield import Shield
    from foretide.simulator.tuning import fleet_tally, run_agent, run_shielded, tally

    if not shield:
        windows = run_agent(agent, setup, seed=seed)
        whole = tally([(window, 1.0) for window in windows])
        return _told(whole.goodput, whole.attainment, [w.limit for w in windows], [w.goodput for w in windows])
    turns = run_shielded(Shield(agent, _rule(setup), bounds=setup.bounds), setup, seed=seed)
    whole = fleet_tally(turns)
    rulings = [{"window": place, "ruling": turn.ruling.value} for place, turn in enumerate(turns)]
    told = _told(
        whole.goodput, whole.attainment, [turn.plan.fleet for turn in turns], [turn.tally.goodput for turn in turns]
    )
    return told | {"rulings": [row for row in rulings if row["ruling"] != "Kept"]}


def _told(goodput: float, attainment: float, limits: list[int], by_window: list[float]) -> dict[str, Any]:
    return {
        "goodput_per_gpu_s": goodput,
        "attainment": attainment,
        "limits": limits,
        "goodput_by_window": by_window,
    }


def draw(summary: Mapping[str, Any]) -> str:
    """Limits and goodput over windows, as SVG."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from foretide.cli.plots import RC
    from foretide.cli.style import tone_of

    names = tuple(row["agent"] for row in summary["agents"])
    with rc_context(RC):
        figure = Figure(figsize=(9.0, 5.4), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        for row in summary["agents"]:
            color = tone_of(row["agent"], names).light
            above.step(range(len(row["limits"])), row["limits"], where="post", color=color, label=row["agent"])
            below.plot(row["goodput_by_window"], color=color, lw=1.2)
        above.set(ylabel="limit, requests", title=f"{summary['scenario']}, simulated, seed {summary['seed']}")
        below.set(ylabel="good requests/s per GPU", xlabel=f"window of {summary['window_s']:g} s")
        above.legend(loc="upper right", ncols=4)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    return drawn.getvalue()


def _print(summary: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(summary, indent=2))
    elif output is Format.YAML:
        typer.echo(yaml.safe_dump(summary, sort_keys=False), nl=False)
    else:
        Console(highlight=False).print(table(summary))


def table(summary: dict[str, Any]) -> Table:
    """Goodput and attainment of each agent, and where its limit went."""
    under = ", under the shield" if summary["shield"] else ""
    shown = Table(title=f"{summary['scenario']}, seed {summary['seed']}, simulated{under}", box=None)
    shown.add_column("agent", no_wrap=True)
    for head in ("goodput/GPU-s", "attainment", "lowest", "highest", "last limit"):
        shown.add_column(head, justify="right", no_wrap=True)
    for row in summary["agents"]:
        limits = row["limits"]
        ends = (str(value) for value in (min(limits), max(limits), limits[-1]))
        shown.add_row(row["agent"], f"{row['goodput_per_gpu_s']:.3f}", percent(row["attainment"]), *ends)
    return shown
