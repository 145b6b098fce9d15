"""The training job of the chart: what it needs, what it may, and that its command understands what the chart says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from helm import LEAST, Helm, HelmFailed, one, with_

from foretide.cli.bed.bed import Bed
from foretide.cli.bed.processes import free_port

pytestmark = pytest.mark.bed
TRAINING = with_(
    LEAST,
    forecast={"mode": "inProcess", "network": {"claim": "networks", "path": "/networks/served"}},
    training={
        "enabled": True,
        "target": "prod/llama",
        "image": {"repository": "registry.example.com/foretide-trainer"},
    },
    sources__default__ca={"configMap": "prometheus-ca", "key": "ca.crt"},
    sources__default__token={"secret": "prometheus-token", "key": "token"},
    networkPolicy__enabled=True,
)


def pod(objects: list[dict[str, Any]]) -> dict[str, Any]:
    job = one(objects, "CronJob", "foretide-training")["spec"]["jobTemplate"]
    spec: dict[str, Any] = job["spec"]["template"]["spec"]
    return spec


def test_it_is_off_until_asked_for(helm: Helm) -> None:
    assert "CronJob" not in {body["kind"] for body in helm.rendered(LEAST)}


def test_it_publishes_where_the_operator_reads_and_has_no_rights_at_all(helm: Helm) -> None:
    objects = helm.rendered(TRAINING)
    spec = pod(objects)
    (container,) = spec["containers"]
    operator = one(objects, "Deployment", "foretide-operator")["spec"]["template"]["spec"]
    assert "--out=/networks/served" in container["args"]
    assert "--forecast-network=/networks/served" in operator["containers"][0]["args"]
    claims = [{"claimName": "networks"}, {"claimName": "networks", "readOnly": True}]
    assert [volume["persistentVolumeClaim"] for each in (spec, operator) for volume in each["volumes"]
            if "persistentVolumeClaim" in volume] == claims  # fmt: skip
    assert spec["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in spec
    (policy,) = (
        each for each in objects if each["metadata"]["name"] == "foretide-training" and each["kind"] == "NetworkPolicy"
    )
    assert policy["spec"]["ingress"] == []
    assert policy["spec"]["egress"][1] == {"ports": [{"port": 9090}]}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"forecast__network__claim": ""}, "forecast.network.claim: none given"),
        ({"forecast__network__path": "/opt/foretide/network"}, "give a folder below /networks"),
        ({"forecast__mode": "service"}, "forecast.mode: the service reads its network at its start alone"),
        ({"training__target": ""}, "training.target: none given"),
        ({"training__target": "llama"}, "/training/target"),
        ({"training__source": "other"}, "training.source: other is not among sources (default)"),
        ({"training__image": {}}, "training.image.repository: none given"),
        ({"training__schedule": "nightly"}, "/training/schedule"),
        ({"training__steps": 0}, "/training/steps"),
        ({"training__head": "both"}, "/training/head"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_by_name(helm: Helm, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmFailed, match="(?s)" + words.replace("(", r"\(").replace(")", r"\)")):
        helm.rendered(with_(TRAINING, **changes))


def test_its_command_understands_it(helm: Helm, tmp_path: Path) -> None:
    """It comes as far as Prometheus, which is not there."""
    (container,) = pod(helm.rendered(TRAINING))["containers"]
    token = tmp_path / "token"
    token.write_text("secret")
    here = {
        "--prometheus=http://prometheus.monitoring:9090": f"--prometheus=http://127.0.0.1:{free_port()}",
        "--ca=/etc/foretide/sources/default/ca/ca.crt": "--head=replica",
        "--token=/etc/foretide/sources/default/token/token": f"--token={token}",
        "--base=/networks/served": f"--base={tmp_path}",
        "--out=/networks/served": f"--out={tmp_path}",
    }
    arguments = [here.pop(argument, argument) for argument in container["args"]]
    assert not here
    done = subprocess.run(
        [Path(sys.executable).with_name("foretide"), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "prod/llama: no demand in 14 days; check the name, the source and its labels" in done.stderr


def test_a_restricted_namespace_admits_the_job_and_its_pod(bed: Bed, helm: Helm, namespace: str) -> None:
    bed.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    objects = helm.rendered(TRAINING, namespace=namespace)
    cron = one(objects, "CronJob", "foretide-training")
    bed.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(cron))
    template = cron["spec"]["jobTemplate"]["spec"]["template"]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial"}, "spec": template["spec"]}
    bed.kubectl("create", "-n", namespace, "--dry-run=server", "-f", "-", stdin=json.dumps(body))
