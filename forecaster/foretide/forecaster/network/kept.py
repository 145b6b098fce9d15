"""Trained networks of series, kept on disk by all that decides their weights: what is fitted twice is trained once.

The name of a file is a hash of schema, configuration, settings (the seed among them), training rows and their time.

What is NOT promised: that a file outlives a change of the training's code. Delete the folder then.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from foretide.forecaster.network.examples import Workload
from foretide.forecaster.network.model import Config, Network, fields_of
from foretide.forecaster.network.schema import Schema, digest
from foretide.forecaster.network.train import Settings


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of trained networks."""

    folder: Path

    def path(self, workload: Workload, schema: Schema, config: Config, settings: Settings) -> Path:
        """Where the network of these rows is kept, whether it is there or not."""
        known = json.dumps([digest(schema), fields_of(config), asdict(settings), repr(workload.start_s)])
        total = hashlib.sha256(known.encode())
        total.update(repr(workload.values.shape).encode())
        total.update(workload.values.tobytes())
        return self.folder / f"{total.hexdigest()[:32]}.safetensors"

    def read(self, path: Path, schema: Schema, config: Config) -> Network | None:
        """The network that was kept, on the CPU; None where none was."""
        from safetensors.torch import load

        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        network = Network(schema, config)
        network.load_state_dict(load(raw))
        return network.eval()

    def write(self, path: Path, network: Network) -> None:
        """Whole or not at all."""
        from safetensors.torch import save

        self.folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half")
        half.write_bytes(save({name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}))
        half.replace(path)
