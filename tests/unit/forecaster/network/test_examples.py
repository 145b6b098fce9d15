import numpy as np

from foretide.forecaster.network.examples import AS_IT_IS, Hardening, Workload, examples_of, origins_of
from foretide.forecaster.network.features import window
from foretide.forecaster.network.schema import REPLICA


def test_origins_have_a_whole_measured_future(rates):
    values = rates(500)
    values[300] = np.nan
    origins = origins_of(values, REPLICA, first=0, last=500)
    assert origins.min() == 1
    assert origins.max() == 470
    assert not {*range(271, 301)} & set(origins.tolist())
    assert {270, 301} <= set(origins.tolist())


def test_plain_examples_are_what_serving_would_see(rates):
    workload, origins = Workload("made up", rates(4000), 1.7e9), np.array([700, 2000, 3900])
    made = examples_of(workload, origins, REPLICA, rng=np.random.default_rng(0), hardening=AS_IT_IS)
    served = window(workload.values, origins, REPLICA, start_s=1.7e9)
    for name, array in served.arrays.items():
        np.testing.assert_array_equal(made.arrays[name], array, err_msg=name)


def test_outcomes_are_those_of_the_origin_in_its_own_frame(rates):
    workload, origins = Workload("made up", rates(4000), 1.7e9), np.arange(1000, 3000, 37)
    made = examples_of(workload, origins, REPLICA, rng=np.random.default_rng(0), hardening=AS_IT_IS)
    frame = window(workload.values, origins, REPLICA, start_s=1.7e9).frame
    expected = np.arcsinh(workload.values[origins[5] : origins[5] + 30] / frame.unit[5])
    np.testing.assert_allclose(made.actual[5], (expected - frame.location[5]) / frame.scale[5], atol=1e-5)


def test_hardening_cuts_blanks_and_announces(rates):
    workload, origins = Workload("made up", rates(6000), 1.7e9), np.arange(3000, 5900)
    plain, hard = (
        examples_of(workload, origins, REPLICA, rng=np.random.default_rng(0), hardening=hardening)
        for hardening in (AS_IT_IS, Hardening(short=0.5, blanked=0.4, event=0.3))
    )
    assert len(hard) == len(plain) == len(origins)
    assert plain.arrays["binned_known"].mean() > 0.99
    cut = (hard.arrays["binned_known"][:, 0].mean(axis=1) < 0.9).mean()
    assert 0.2 < cut < 0.9
    assert (hard.arrays["recent_known"][:, 0].mean(axis=1) < 0.99).mean() > 0.3
    assert not plain.arrays["events"].any()
    assert abs(hard.arrays["events"][..., 1].any(axis=1).mean() - 0.3) < 0.05


def test_an_announced_event_happens_as_often_as_its_confidence_says(rates):
    """Certain events always lift demand to near what was announced; half-believed ones about half of the time."""
    workload, origins = Workload("made up", rates(9000), 1.7e9), np.arange(3000, 8900)
    rng = np.random.default_rng(1)
    made = examples_of(workload, origins, REPLICA, rng=rng, hardening=Hardening(0.0, 0.0, 1.0))
    trust = made.arrays["events"][..., 1]
    gap = np.abs(made.actual[..., 0] - made.arrays["events"][..., 0])
    near = np.array([gap[row][trust[row] > 0].mean() < 0.6 for row in range(len(made))])
    certain, doubtful = (np.isclose(trust.max(axis=1), level) for level in (1.0, 0.3))
    assert near[certain].mean() > near[doubtful].mean() + 0.3
