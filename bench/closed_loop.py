"""Records the end-to-end run on the real control plane and draws it: `python bench/closed_loop.py docs/images`.

Real time, about eight minutes. The engines are the fleet twin (simulated); everything else is real.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import closed_loop

from foretide.cli.bed.bed import Bed

mpl.rcParams["svg.hashsalt"] = "foretide"


def draw(recording: closed_loop.Recording, path: Path) -> None:
    """Demand, replicas, queue and attainment over the run, with what was done to it."""
    at = [row.t for row in recording.rows]
    figure = Figure(figsize=(10, 7.5), layout="constrained")
    demand, replicas, queue, kept = figure.subplots(4, 1, sharex=True, height_ratios=[2, 2, 1, 1])
    demand.plot(at, [row.rate for row in recording.rows], color="#2563eb", lw=1.2)
    demand.set_ylabel("arrivals\nrequests/s")
    replicas.step(at, [row.desired for row in recording.rows], where="post", color="#111827", label="desired")
    replicas.fill_between(
        at, [row.ready for row in recording.rows], step="post", color="#93c5fd", label="ready", alpha=0.8
    )
    replicas.set_ylabel("replicas")
    replicas.legend(loc="upper left", frameon=False)
    queue.plot(at, [row.waiting for row in recording.rows], color="#b45309", lw=1)
    queue.set_ylabel("waiting\nrequests")
    queue.set_ylim(bottom=0)
    kept.plot(at, [None if row.kept is None else 100 * row.kept for row in recording.rows], color="#15803d", lw=1.2)
    kept.axhline(99, color="#6b7280", ls=":", lw=1)
    kept.set_ylim(90, 100.5)
    kept.set_ylabel("within TTFT\nand TPOT, %")
    kept.set_xlabel("seconds of real time")
    events = ((closed_loop.KILL_AT, "operator killed"), (closed_loop.RETURN_AT, "operator back"))
    outage = ((closed_loop.BLIND_AT, "Prometheus deleted"), (closed_loop.SEEING_AT, "Prometheus back, empty"))
    for when, what in (*events, *outage):
        for axes in (demand, replicas, queue, kept):
            axes.axvline(when, color="#dc2626", lw=0.8, ls="--")
        demand.annotate(
            what, (when, demand.get_ylim()[1]), rotation=90, va="top", ha="right", fontsize=7, color="#dc2626"
        )
    figure.suptitle(
        "One InferenceAutoscaler in mode Auto: real API server, scheduler and Prometheus, simulated engines"
    )
    figure.savefig(path / "closed-loop.png", dpi=110)


def main() -> None:
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, Bed.start() as bed:
        recording = closed_loop.run(bed, Path(folder))
    recording.save(out / "closed-loop.jsonl")
    draw(recording, out)
    print(f"joint attainment over the whole run: {recording.kept_overall:.4f}")
    print(recording.printed)
    print(recording.described)


if __name__ == "__main__":
    main()
