"""`foretide forecast serve` answers operators until it is stopped, and refuses what it cannot serve in one line."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from graphs import artifact
from numpy.random import default_rng

from foretide.cli.forecast_serve import serve
from foretide.cli.problems import BadInput
from foretide.forecaster.network.features import window
from foretide.forecaster.network.schema import REPLICA
from foretide.forecaster.network.session import opened
from foretide.operator.forecast_client import RemoteHead
from foretide.operator.settings import ForecastSettings


def test_a_process_of_its_own_serves_and_ends_on_a_signal(tmp_path: Path) -> None:
    artifact(tmp_path, REPLICA)
    code = "from foretide.cli.main import run; run()"
    command = [sys.executable, "-c", code, "forecast", "serve", "--network", str(tmp_path), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving replica (by-hand) on 127.0.0.1:")
        remote = RemoteHead(REPLICA, ForecastSettings(url=f"http://{line.split()[-1]}", timeout_s=60.0))
        arrays = window(default_rng(1).gamma(2.0, 3.0, (200, 3)), np.array([200]), REPLICA, start_s=0.0).arrays
        paths = remote.drawn(arrays, seeds=[5], count=8)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    np.testing.assert_array_equal(paths, opened(tmp_path, "replica").drawn(arrays, seeds=[5], count=8))


@pytest.mark.parametrize("listen", ["8090", "localhost", "127.0.0.1:http", ":8090", "127.0.0.1:99999"])
def test_an_address_without_host_and_port_is_refused(tmp_path: Path, listen: str) -> None:
    with pytest.raises(BadInput, match=r"--listen: .*: write HOST:PORT"):
        serve(network=tmp_path, listen=listen, threads=1)


def test_a_folder_without_a_network_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--network: .*: name a folder with one of replica, node\.json"):
        serve(network=tmp_path, threads=1)
    artifact(tmp_path, REPLICA, graph=b"no graph")
    with pytest.raises(BadInput, match="is no graph that can be run"):
        serve(network=tmp_path, threads=1)
