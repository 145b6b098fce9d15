"""docs/images/warm-run.csv and .png: a night and a long gap of one model, as recorded on the bed.

    pytest -m bed tests/apiserver/test_naps.py --basetemp=DIR      # leaves DIR/*/run.csv
    python bench/warm_run.py DIR/*/run.csv

API server, scheduler with its preemption, controllers, endpoints and Prometheus are real; nodes, engines, the gateway
and its requests are simulated, and times are compressed: a keep-alive of one minute stands for a longer one.
"""

import csv
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt

from foretide.cli.style import BAND, BROKEN, INK, KEPT, MUTED, OURS, RIVAL

IMAGES = Path(__file__).parents[1] / "docs/images"
ROWS = {
    "ready, in the endpoints": ("endpoints", KEPT),
    "asleep": ("asleep", OURS),
    "starting, or in between": ("starting", BAND),
    "a placeholder holds the node": ("placeholders", RIVAL),
    "Prometheus is down": ("down", BROKEN),
}

Rows = list[dict[str, Any]]


def rows_of(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return [told(row) for row in csv.DictReader(file)]


def told(row: dict[str, str]) -> dict[str, Any]:
    """What each row of the figure is about, as 0 or 1."""
    endpoints, naps = int(row["endpoints"]), row["nap"].split(",")
    asleep = any(nap in ("Drowsy", "Asleep", "Waking") for nap in naps)
    return {
        "t": float(row["t"]),
        "endpoints": int(endpoints > 0),
        "asleep": int(asleep and not endpoints),
        "starting": int(int(row["replicas"]) > 0 and not endpoints and not asleep),
        "placeholders": int(int(row["placeholders"]) > 0),
        "down": 1 - int(row["prometheus"]),
        "held": float(row["held"]),
        "asked": float(row["asked"]),
    }


def drawn(rows: Rows, path: Path) -> None:
    times = [row["t"] for row in rows]
    with plt.rc_context({"font.size": 9, "axes.edgecolor": MUTED.light, "text.color": INK.light}):
        figure, (above, below) = plt.subplots(2, 1, figsize=(8.4, 4.2), sharex=True, height_ratios=(1, 1.4))
        asked = [row["asked"] for row in rows]
        above.step(times, asked, where="post", color=INK.light, lw=1.4, label="requests so far")
        held = [row["held"] for row in rows]
        above.fill_between(times, held, step="post", color=BROKEN.light, alpha=0.8, label="held, with no replica ready")
        above.legend(loc="upper left", frameon=False)
        for place, (name, tone) in enumerate(ROWS.values()):
            spans = [(now["t"], then["t"] - now["t"]) for now, then in pairwise(rows) if now[name]]
            below.broken_barh(spans, (len(ROWS) - place - 0.85, 0.7), color=tone.light, lw=0)
        below.set_yticks([len(ROWS) - place - 0.5 for place in range(len(ROWS))], labels=list(ROWS))
        below.set_xlabel("seconds of the run")
        for axes in (above, below):
            axes.spines[["top", "right"]].set_visible(False)
        figure.tight_layout()
        figure.savefig(path, dpi=130, facecolor="white", metadata={"Software": None})
        plt.close(figure)


def main() -> int:
    if len(sys.argv) != 2:
        sys.exit("usage: python bench/warm_run.py RUN.csv")
    given = Path(sys.argv[1])
    text = given.read_text(encoding="utf-8")
    (IMAGES / "warm-run.csv").write_text(text, encoding="utf-8")
    drawn(rows_of(given), IMAGES / "warm-run.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
