"""Watts by what a GPU does; the constants are those of SplitwiseSim's configuration (papers.md 1.1)."""

import pytest

from foretide.simulator.power import GpuPower, PowerCap, Use, capped, energy_j, published
from foretide.simulator.profiles import Deployment, find_profile

H100 = GpuPower(75.0, 700.0, 380.0)


def test_the_published_watts_are_splitwises() -> None:
    assert published("H100") == H100
    assert published("A100") == GpuPower(63.0, 400.0, 250.0)


@pytest.mark.parametrize("gpu", ["H200", "B200", "L40S", "GH200"])
def test_what_nobody_published_is_not_guessed(gpu: str) -> None:
    assert published(gpu) is None
    assert published(gpu, PowerCap(300.0)) is None


@pytest.mark.parametrize(
    ("use", "watts"),
    [(Use(100.0, 0.0, 0.0), 75.0), (Use(100.0, 100.0, 100.0), 700.0), (Use(100.0, 100.0, 0.0), 380.0)],
)
def test_a_replica_draws_the_watts_of_what_it_does(use: Use, watts: float) -> None:
    assert energy_j([use], power=H100, gpus_per_replica=1) == pytest.approx(100.0 * watts)


def test_shares_of_time_weigh_the_watts_and_gpus_count() -> None:
    """Half of the time idle, three tenths decode, two tenths prefill, on four GPUs."""
    found = energy_j([Use(1000.0, 500.0, 200.0)], power=H100, gpus_per_replica=4)
    assert found == pytest.approx(4 * (500 * 75 + 300 * 380 + 200 * 700))


def test_a_cap_slows_prefill_and_not_decode() -> None:
    deployment = Deployment(find_profile(model="Llama-3.1-8B", gpu="H100", tp=1))
    before, after = deployment.profile.steps, capped(deployment, PowerCap(450.0)).profile.steps
    assert (after.prefill_a_ms, after.prefill_b_ms, after.prefill_c_ms) == pytest.approx(
        (1.3 * before.prefill_a_ms, 1.3 * before.prefill_b_ms, 1.3 * before.prefill_c_ms)
    )
    assert (after.decode_a_ms, after.decode_b_ms, after.decode_c_ms) == (
        before.decode_a_ms,
        before.decode_b_ms,
        before.decode_c_ms,
    )
    assert capped(deployment, None) is deployment


def test_a_cap_bounds_the_watts() -> None:
    assert published("H100", PowerCap(450.0)) == GpuPower(75.0, 450.0, 380.0)
