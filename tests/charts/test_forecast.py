"""The forecast service with the arguments that the chart gives it."""

import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from helm import LEAST, Helm, one, with_

from foretide.cli.bed.processes import free_port
from foretide.forecaster.network import shipped

pytestmark = pytest.mark.bed
PATIENCE_S = 120.0


def test_it_starts_as_the_chart_says_and_its_probes_find_it(helm: Helm) -> None:
    objects = helm.rendered(with_(LEAST, forecast__mode="service"))
    (container,) = one(objects, "Deployment", "foretide-forecast")["spec"]["template"]["spec"]["containers"]
    port = free_port()
    here = {
        "--network=/opt/foretide/network": f"--network={shipped.__path__[0]}",
        "--listen=0.0.0.0:8090": f"--listen=127.0.0.1:{port}",
    }
    arguments = [here.pop(argument, argument) for argument in container["args"]]
    assert not here
    process = subprocess.Popen([Path(sys.executable).with_name("foretide"), *arguments])
    try:
        for probe in ("livenessProbe", "readinessProbe"):
            assert status(f"http://127.0.0.1:{port}{container[probe]['httpGet']['path']}") == 200
        assert status(f"http://127.0.0.1:{port}/v1/about") == 200
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


def status(address: str) -> int:
    """Of the answer, once there is one."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as page:
                return int(page.status)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
