"""Colours of the terminal view and of the report's figures, for light and dark, and numbers as people read them.

Figures are drawn with the light colours; in the page each of them becomes a CSS variable, so that one inline figure
follows the reader's light or dark setting.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tone:
    """One meaning: the CSS variable's name, its light and dark colour, and its colour in a terminal."""

    name: str
    light: str
    dark: str
    terminal: str


INK = Tone("ink", "#1c2128", "#e6e9ee", "default")
MUTED = Tone("muted", "#626c79", "#98a3b3", "bright_black")
LINE = Tone("line", "#d5dae1", "#333b47", "bright_black")
PAPER = Tone("paper", "#fdfdfc", "#14181e", "default")
PANEL = Tone("panel", "#f3f4f6", "#1c222b", "default")
DEMAND = Tone("demand", "#3d4652", "#c3cbd6", "default")
BAND = Tone("band", "#a9b4c2", "#5b6675", "cyan")
BROKEN = Tone("broken", "#c62839", "#ff6b78", "red")
KEPT = Tone("kept", "#1a7f4b", "#4cc38a", "green")
OURS = Tone("ours", "#0f6cbd", "#5ab0f7", "bright_blue")
RIVAL = Tone("rival", "#d46a00", "#ffa24a", "yellow")
OTHERS = (
    Tone("other1", "#7a4fc4", "#b794f6", "magenta"),
    Tone("other2", "#7d6608", "#d9b84a", "bright_yellow"),
    Tone("other3", "#0b7f83", "#3fc7cb", "cyan"),
    Tone("other4", "#ad3f86", "#f08cc8", "bright_magenta"),
    Tone("other5", "#5c6b2f", "#adc76c", "bright_green"),
    Tone("other6", "#6d5045", "#c8a495", "white"),
)
TONES = (INK, MUTED, LINE, PAPER, PANEL, DEMAND, BAND, BROKEN, KEPT, OURS, RIVAL, *OTHERS)

FIXED = {"foretide": OURS, "hpa": RIVAL}
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif"


def tone_of(policy: str, policies: tuple[str, ...]) -> Tone:
    """The tone of `policy` among `policies`: the same in every figure of a report and in the terminal."""
    if policy in FIXED:
        return FIXED[policy]
    rest = [name for name in policies if name not in FIXED]
    return OTHERS[rest.index(policy) % len(OTHERS)]


def css_variables() -> str:
    """Declarations for light, and the same names again for readers who prefer dark."""
    light = " ".join(f"--{tone.name}: {tone.light};" for tone in TONES)
    dark = " ".join(f"--{tone.name}: {tone.dark};" for tone in TONES)
    return f":root {{ {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"


def themed(svg: str) -> str:
    """The figure with every known colour replaced by its variable."""
    for tone in TONES:
        svg = svg.replace(tone.light, f"var(--{tone.name})")
    return svg


def percent(share: float) -> str:
    """`0.99812` -> `99.81 %`; cut, not rounded up, so that 100 % means all."""
    return f"{int(share * 10_000 + 1e-6) / 100:.2f} %"


def clock(seconds: float) -> str:
    """`3725` -> `1:02:05`, the virtual time since the run's start."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def duration(seconds: float) -> str:
    """`0.5` -> `500 ms`, `12.0` -> `12 s`."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
