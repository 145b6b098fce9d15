"""The figure of validate_r4: share of requests within both objectives against the rate per GPU, by model and system."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from foretide.cli.plots import RC
from foretide.cli.style import DEMAND, INK, MUTED

FIGURE = Path(__file__).parents[1] / "docs/images/distserve.png"
LOOKS = {
    "DistServe, simulated": {"color": "#0f7b6c", "marker": "o"},
    "vLLM, simulated": {"color": "#b4561f", "marker": "o"},
    "vLLM, published": {"color": DEMAND.light, "marker": "x", "ls": ":"},
}
Curves = Mapping[str, tuple[Sequence[float], Mapping[str, Sequence[float]]]]
"""Model -> rates per GPU, and by system the shares at them."""


def draw(curves: Curves) -> None:
    """Writes FIGURE."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(RC):
        figure = Figure(figsize=(9.0, 3.4), layout="constrained")
        for axes, (model, (rates, systems)) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
            for name, shares in systems.items():
                axes.plot(rates, [100 * share for share in shares], label=name, ms=4, lw=1.4, **LOOKS[name])
            axes.axhline(90, color=MUTED.light, lw=0.9, ls=(0, (4, 3)))
            axes.set(xlabel="requests/s per GPU", ylabel="% of requests within TTFT and TPOT", ylim=(0, 104))
            axes.set_title(model, loc="left", fontsize=10, color=INK.light)
            axes.legend(loc="lower left", frameon=False)
        FIGURE.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(FIGURE, format="png", dpi=130, facecolor="white", metadata={"Software": None})
