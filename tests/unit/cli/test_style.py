import pytest

from foretide.cli import style


def test_percentages_are_never_rounded_up_to_all() -> None:
    assert style.percent(0.999999) == "99.99 %"
    assert style.percent(1.0) == "100.00 %"
    assert style.percent(0.57) == "57.00 %"


def test_virtual_time_reads_like_a_clock() -> None:
    assert style.clock(3725.9) == "1:02:05"


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "500 ms"), (0.025, "25 ms"), (12.0, "12 s")])
def test_thresholds_carry_their_unit(seconds: float, text: str) -> None:
    assert style.duration(seconds) == text


def test_a_policy_has_one_tone_whatever_its_company() -> None:
    assert style.tone_of("foretide", ("static", "foretide")) is style.OURS
    policies = ("foretide", "static", "hpa", "oracle")
    tones = [style.tone_of(name, policies) for name in policies]
    assert len(set(tones)) == len(policies)


def test_every_tone_has_a_light_and_a_dark_variable() -> None:
    css = style.css_variables()
    for tone in style.TONES:
        assert css.count(f"--{tone.name}:") == 2


def test_known_colours_become_variables() -> None:
    assert style.themed(f"fill: {style.INK.light}") == "fill: var(--ink)"
