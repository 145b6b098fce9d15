"""One HPA sync of ours against the real kube-controller-manager: many random HPAs at once, every sync compared.

What is compared, what is not, and the figures of a run: docs/hpa-fidelity.md.
"""

from pathlib import Path

import pytest
from hpa_recording import record
from hpa_replay import Compared, compare
from hpa_series import cases

from foretide.cli.bed.bed import Bed

pytestmark = pytest.mark.bed
EXTERNAL, DEPLOYMENTS, OF_PODS = 56, 8, 16
SECONDS, SEED = 60.0, 4


def test_every_sync_of_the_real_controller_is_decided_alike(bed: Bed, namespace: str, tmp_path: Path) -> None:
    random = cases(external=EXTERNAL, deployments=DEPLOYMENTS, pods=OF_PODS, syncs=int(SECONDS), seed=SEED)
    recording, compared = record(bed, namespace, random, seconds=SECONDS, folder=tmp_path), Compared()
    for case in random:
        compare(case, recording, compared)
    print(compared)
    assert compared.differences == []
    assert compared.series == EXTERNAL + OF_PODS
    # A machine that is busy makes fewer syncs, but one that makes hardly any has compared nothing.
    assert compared.syncs > 10 * compared.series
    assert min(compared.scaled, compared.held_back) > 0.03 * compared.syncs
    assert compared.unsure < 0.1 * compared.syncs
    assert compared.unsure_metrics < 0.05 * compared.metrics
