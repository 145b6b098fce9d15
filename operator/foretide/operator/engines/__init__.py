"""The engines and gateways whose metric names are known. Each is a table in a module of its own."""

from collections.abc import Mapping

from foretide.operator.engines.dynamo import DYNAMO
from foretide.operator.engines.epp import EPP
from foretide.operator.engines.preset import Preset
from foretide.operator.engines.sglang import SGLANG
from foretide.operator.engines.tgi import TGI
from foretide.operator.engines.triton import TRITON
from foretide.operator.engines.trtllm import TRTLLM
from foretide.operator.engines.vllm import VLLM

CUSTOM = Preset(engine="custom", signals=())
"""All of its metrics are named in the resource."""
ENGINES: Mapping[str, Preset] = {
    preset.engine: preset for preset in (VLLM, SGLANG, TGI, TRTLLM, TRITON, DYNAMO, EPP, CUSTOM)
}
