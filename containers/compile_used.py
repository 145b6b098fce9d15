"""Compiles what the operator's image uses, by importing it: byte code of everything would be 75 MB, of this it is 39.

    python containers/compile_used.py

Fails the build where a part that the image is for cannot be imported any more. Parts that it is not for (training, the
local control plane) are left out as they come: their libraries are not there.
"""

import importlib
import pkgutil
import sys

import foretide

NEEDED = (
    "foretide.cli.main",
    "foretide.cli.forecast_serve",
    "foretide.cli.inspect",
    "foretide.cli.twin",
    "foretide.operator.keda.serving",
    "foretide.operator.page.serve",
    "foretide.operator.serve",
    "foretide.operator.tuner.serve",
    "onnxruntime",
    "scipy.special",
    "statsmodels.tsa.exponential_smoothing.ets",
)
"""What the image is for, and what it imports only when it gets that far."""


def left_out() -> list[str]:
    """Imports all that can be; the modules of ours that cannot. Raises ImportError for one that is needed."""
    for name in NEEDED:
        importlib.import_module(name)
    missing = []
    for found in pkgutil.walk_packages(foretide.__path__, "foretide."):
        try:
            importlib.import_module(found.name)
        except ImportError:
            missing.append(found.name)
    return missing


if __name__ == "__main__":
    sys.stdout.write("".join(f"not for this image: {name}\n" for name in left_out()))
