"""Where the CustomResourceDefinition lies in an installed package."""

from importlib.resources import files
from pathlib import Path


def crd_path() -> Path:
    """The manifest to `kubectl apply` before the operator starts."""
    return Path(str(files("foretide.operator") / "crd" / "inferenceautoscalers.yaml"))
