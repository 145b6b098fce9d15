"""Profiles from kernel tables: the form is fitted to what an engine answers; the real ones where they are."""

from dataclasses import dataclass
from importlib.util import find_spec

import pytest

from foretide.simulator.aic import PACKAGE, NotCompiled, compile_profile, compiled
from foretide.simulator.profiles import StepTimes, find_profile

needs_tables = pytest.mark.skipif(
    find_spec(PACKAGE) is None, reason="aiconfigurator-core is not installed: its tables were not compiled"
)
INSTALLED = find_spec(PACKAGE) is not None


@dataclass
class TwinEngine:
    """Answers with the step-time form itself."""

    steps: StepTimes

    def predict_prefill_latency(self, bs: int, isl: int, prefix: int = 0) -> float:
        return self.steps.prefill_ms(bs * (isl - prefix))

    def decode_step_latency(self, gen_tokens: int, isl: int, osl: int) -> float:
        return self.steps.decode_ms(decodes=gen_tokens, context=isl + osl - 1)


@pytest.mark.parametrize("share", [0.0, 0.0625])
def test_an_engine_of_this_form_is_found_again(share: float) -> None:
    steps = StepTimes(6.0, 0.011, 4e-5, 5.0, 0.015, 1.2e-6, expert_d_ms=15.0 if share else 0.0, expert_share=share)
    found = compiled(TwinEngine(steps), expert_share=share)
    assert found.errors.decode == pytest.approx(0.0, abs=1e-4)
    for name in ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "expert_d_ms"):
        assert getattr(found.steps, name) == pytest.approx(getattr(steps, name), rel=1e-3)


def test_an_engine_without_an_answer_is_refused() -> None:
    with pytest.raises(NotCompiled, match="give no time for some of the steps"):
        compiled(TwinEngine(StepTimes(0.0, 0.0, 0.0, 5.0, 0.015, 1e-6)))


def test_hardware_without_tables_names_what_there_is() -> None:
    with pytest.raises(NotCompiled, match=r"no kernel tables for ABACUS; there are some for A100, .*H100"):
        compile_profile(model="Qwen/Qwen3-8B", gpu="abacus", tp=1, kv_tokens=1000)


@pytest.mark.skipif(INSTALLED, reason="aiconfigurator-core is installed: its absence was not tried")
def test_without_the_package_one_line_says_how_to_get_it() -> None:
    with pytest.raises(NotCompiled, match=r"pip install 'foretide\[aic\]'"):
        compile_profile(model="Qwen/Qwen3-8B", gpu="H100", tp=1, kv_tokens=1000)


@needs_tables
@pytest.mark.parametrize(
    ("model", "gpu", "tp", "near"),
    [("meta-llama/Meta-Llama-3.1-8B", "H100", 1, 0.04), ("Qwen/Qwen3-30B-A3B", "H100", 1, 0.06)],
)
def test_the_real_tables_give_the_published_coefficients(model: str, gpu: str, tp: int, near: float) -> None:
    """papers.md 3.2; the published fits weigh their grid a little differently."""
    found = compile_profile(model=model, gpu=gpu, tp=tp, kv_tokens=100_000)
    known = find_profile(model=model, gpu=gpu, tp=tp)
    for name in ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "expert_d_ms"):
        assert getattr(found.steps, name) == pytest.approx(getattr(known.steps, name), rel=near)
    assert found.errors.decode is not None
    assert found.errors.decode < 0.06


@needs_tables
@pytest.mark.parametrize(("tp", "told"), [(3, "divisible by tp_size 3")])
def test_what_the_real_tables_refuse_is_told_in_one_line(tp: int, told: str) -> None:
    with pytest.raises(NotCompiled, match=told):
        compile_profile(model="Qwen/Qwen3-8B", gpu="H100", tp=tp, kv_tokens=1000)
