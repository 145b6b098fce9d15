"""A profile as a figure: decode steps over the batch, one line for each context, and prompts over their length.

Promised: the same profile gives the same bytes.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from foretide.cli.plots import RC
from foretide.cli.style import BAND, INK, OTHERS, OURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from foretide.simulator.profiles import Profile

FORMATS = (".svg", ".png")


def draw_profile(profile: "Profile", *, batches: Sequence[int], contexts: Sequence[int], suffix: str) -> bytes:
    """The file's content, on white."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(RC):
        figure = Figure(figsize=(9.0, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2)
        _decodes(left, profile, batches, contexts)
        _prompts(right, profile)
        title = f"{profile.model} on {profile.tp} x {profile.gpu}: step times of the profile"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK.light)
        drawn = io.BytesIO()
        quiet = {"Date": None, "Creator": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(drawn, format=suffix[1:], dpi=160, facecolor="white", metadata=quiet)
    return drawn.getvalue()


def _decodes(axes: "Axes", profile: "Profile", batches: Sequence[int], contexts: Sequence[int]) -> None:
    for context, tone in zip(contexts, (OURS, *OTHERS), strict=False):
        fit = [batch for batch in range(1, max(batches) + 1) if batch * context <= profile.kv_tokens]
        times = [profile.steps.decode_ms(decodes=batch, context=context) for batch in fit]
        axes.plot(fit, times, color=tone.light, label=f"{context:,}")
    if profile.ranges.batch is not None:
        axes.axvspan(*profile.ranges.batch, color=BAND.light, alpha=0.15, lw=0)
    axes.set(
        xlabel="requests in the batch (a line for each context, in tokens)",
        ylabel="decode step, ms",
        ylim=(0, None),
        xlim=(0, max(batches)),
    )
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, fontsize=7.5, handlelength=1.0, columnspacing=0.8)


def _prompts(axes: "Axes", profile: "Profile") -> None:
    longest = max(8192.0, profile.ranges.prompt[1] if profile.ranges.prompt else 0.0)
    tokens = np.linspace(1, longest, 200)
    axes.plot(tokens, [profile.steps.prefill_ms(float(each)) for each in tokens], color=OURS.light)
    if profile.ranges.prompt is not None:
        axes.axvspan(*profile.ranges.prompt, color=BAND.light, alpha=0.15, lw=0)
    axes.set(xlabel="prompt, tokens (shaded: what the fit has seen)", ylabel="prefill, ms", ylim=(0, None))
