"""Node objects of machines that do not exist: KWOK keeps them Ready, the real scheduler fills them.

NOT promised: that a product's memory or CPU figures are those of any vendor's machine; only the GPU count matters here.
"""

from typing import Any

from foretide.cli.bed.plane import MANAGED_NODES

H100 = "NVIDIA-H100-80GB-HBM3"
GPU = "nvidia.com/gpu"
NODE_INFO = {
    "architecture": "amd64",
    "operatingSystem": "linux",
    "containerRuntimeVersion": "kwok://0.8.0",
    "kernelVersion": "none",
    "kubeletVersion": "v1.34.2",
    "kubeProxyVersion": "",
    "machineID": "",
    "bootID": "",
    "systemUUID": "",
    "osImage": "none (KWOK)",
}


def gpu_node(name: str, *, gpus: int = 8, product: str = H100) -> dict[str, Any]:
    """A node with `gpus` GPUs of one product, and enough of everything else."""
    annotation, _, value = MANAGED_NODES.partition("=")
    resources = {"cpu": "192", "memory": "2Ti", "ephemeral-storage": "4Ti", "pods": "110", GPU: str(gpus)}
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.count": str(gpus),
        "nvidia.com/gpu.present": "true",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {annotation: value}},
        "status": {"capacity": resources, "allocatable": resources, "nodeInfo": NODE_INFO},
    }
