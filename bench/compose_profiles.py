"""Step-time coefficients from kernel tables, for combinations that the shipped fits lack.

    FORETIDE_DATA=... python bench/compose_profiles.py

A step is the sum of its kernels: projections, attention, all-reduces, head; element-wise kernels, which the tables
lack, are taken at 0.8 of the memory bandwidth plus 3 microseconds each. The sum is fitted with non-negative
coefficients and relative errors, as the shipped ones are. Prints first how far the composition is from fits that were
made by the tables' own engine, then the new rows for `profiles.json`.
"""

import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import nnls

from foretide.simulator.profiles import NoProfile, find_profile

Array = NDArray[np.float64]
Curve = tuple[Array, Array]
BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12}
MEMORY = {"H100": 80 * 2**30, "H200": 141 * 2**30}
SOURCE = "composed from the kernel tables of aiconfigurator-core 0.12.0 (Apache-2.0), vLLM 0.24"
LAYERS = "composed from the layer tables of LLMServingSim (MIT), vLLM 0.19"
REAL_KV_4090 = 41408
"""KV tokens of the engine behind the measured run (papers.md 2)."""
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
LENGTHS = (128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True)
class Model:
    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    weights: float
    """Bytes."""
    precision: str
    """Of the weights and of the KV cache."""


LLAMA_70B_FP8 = Model("Llama-3.1-70B-FP8", 8192, 28672, 80, 64, 8, 128256, 70.6e9, "fp8")
LLAMA_8B = Model("Llama-3.1-8B", 4096, 14336, 32, 32, 8, 128256, 16.06e9, "bfloat16")
LLAMA_8B_FP8 = Model("Llama-3.1-8B-FP8", 4096, 14336, 32, 32, 8, 128256, 8.55e9, "fp8")
QWEN_32B = Model("Qwen3-32B", 5120, 25600, 64, 64, 8, 151936, 65.6e9, "bfloat16")
QWEN_32B_FP8 = Model("Qwen3-32B-FP8", 5120, 25600, 64, 64, 8, 151936, 32.8e9, "fp8")
KNOWN = (
    (LLAMA_70B_FP8, "H100", 2), (LLAMA_70B_FP8, "H100", 4), (LLAMA_70B_FP8, "H200", 1), (LLAMA_70B_FP8, "H200", 2),
    (LLAMA_8B, "H100", 1), (LLAMA_8B, "H200", 1), (QWEN_32B, "H100", 2), (QWEN_32B, "H200", 1),
)  # fmt: skip
WANTED = (
    (LLAMA_70B_FP8, "H100", 8), (LLAMA_70B_FP8, "H200", 4), (LLAMA_70B_FP8, "H200", 8),
    (LLAMA_8B, "H100", 2), (LLAMA_8B, "H100", 4), (LLAMA_8B, "H100", 8),
    (LLAMA_8B_FP8, "H200", 1), (LLAMA_8B_FP8, "H200", 2), (LLAMA_8B_FP8, "H200", 4), (LLAMA_8B_FP8, "H200", 8),
    (QWEN_32B, "H100", 4), (QWEN_32B, "H100", 8),
    (QWEN_32B_FP8, "H100", 2), (QWEN_32B_FP8, "H100", 4), (QWEN_32B_FP8, "H100", 8),
)  # fmt: skip


def folder() -> Path:
    return Path(os.environ["FORETIDE_DATA"]) / "profiles"


@cache
def table(gpu: str, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder() / f"aic_{gpu.lower()}_sxm_vllm0.24_{name}.parquet")


@cache
def products(gpu: str, precision: str) -> dict[tuple[int, int], Curve]:
    """(n, k) -> log m, log ms of an (m, k) x (k, n) product."""
    rows = table(gpu, "gemm")
    kernel = "CutlassFP8ScaledMMLinearKernel" if precision == "fp8" else "torch.nn.functional.linear"
    rows = rows[(rows.gemm_dtype == precision) & (rows.kernel_source == kernel)]
    means = rows.groupby(["n", "k", "m"]).latency.mean().reset_index()
    return {
        (int(n), int(k)): (np.log(part.m.to_numpy(np.float64)), np.log(part.latency.to_numpy()))
        for (n, k), part in means.groupby(["n", "k"])
    }


def product_ms(gpu: str, precision: str, *, m: int, n: int, k: int) -> float:
    """Interpolated in the logarithms of all three sizes."""
    known = products(gpu, precision)
    sizes = sorted({size for size, _ in known})

    def around(size: int) -> tuple[int, int, float]:
        low = max(known for known in sizes if known <= size)
        high = min((known for known in sizes if known >= size), default=low)
        return low, high, 0.0 if low == high else float(np.log(size / low) / np.log(high / low))

    def at(n: int, k: int) -> float:
        return float(np.interp(np.log(m), *known[n, k]))

    n0, n1, wn = around(min(n, sizes[-1]))
    k0, k1, wk = around(k)
    ends = [(1 - wn) * at(n0, k) + wn * at(n1, k) for k in (k0, k1)]
    beyond = max(1.0, n / sizes[-1])
    return float(np.exp((1 - wk) * ends[0] + wk * ends[1])) * beyond


def all_reduce_ms(gpu: str, tp: int, elements: int) -> float:
    if tp == 1:
        return 0.0
    rows = table(gpu, "custom_allreduce")
    curve = rows[(rows.backend == "vllm_graph") & (rows.num_gpus == tp)].groupby("message_size").latency.mean()
    return float(np.exp(np.interp(np.log(elements), np.log(curve.index.to_numpy(np.float64)), np.log(curve))))


@cache
def attention(model: Model, gpu: str, tp: int, name: str) -> pd.DataFrame:
    """Batch size x tokens -> ms."""
    rows = table(gpu, name)
    rows = rows[(rows.head_dim == 128) & (rows.window_size == 0) & (rows.kv_cache_dtype == model.precision)]
    rows = rows[(rows.num_heads == model.heads // tp) & (rows.num_key_value_heads == model.kv_heads // tp)]
    rows = rows[rows.kernel_source.str.contains("fa3")]
    column = "step" if name == "generation_attention" else "isl"
    return rows.pivot_table(index="batch_size", columns=column, values="latency")


def attention_ms(model: Model, gpu: str, tp: int, *, batch: int, tokens: int, name: str) -> float:
    """Interpolated in tokens, and beyond the last entry extended by the last slope."""
    row = attention(model, gpu, tp, name).loc[batch].dropna()
    x, y = row.index.to_numpy(np.float64), row.to_numpy(np.float64)
    beyond = max(0.0, tokens - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
    return float(np.interp(tokens, x, y) + beyond)


def dense_ms(model: Model, gpu: str, tp: int, tokens: int) -> float:
    """All layers but for their attention."""
    h, usable = model.hidden, BANDWIDTH[gpu] * 0.8 / 1000.0
    norm = 4.0 * tokens * h / usable + 0.003
    gate = 6.0 * tokens * model.inner / tp / usable + 0.002
    shapes = (
        ((model.heads + 2 * model.kv_heads) * 128 // tp, h), (h, model.heads * 128 // tp),
        (2 * model.inner // tp, h), (h, model.inner // tp),
    )  # fmt: skip
    products_ms = sum(product_ms(gpu, model.precision, m=tokens, n=n, k=k) for n, k in shapes)
    return model.layers * (products_ms + 2 * all_reduce_ms(gpu, tp, tokens * h) + 2 * norm + gate)


def step_ms(model: Model, gpu: str, tp: int, *, batch: int, tokens: int, prefill: bool) -> float:
    """A decode step of `batch` sequences of `tokens` each, or the prefill of one prompt."""
    name = "context_attention" if prefill else "generation_attention"
    heads = product_ms(gpu, "bfloat16", m=batch, n=model.vocabulary // tp, k=model.hidden)
    attended = attention_ms(model, gpu, tp, batch=batch, tokens=tokens, name=name)
    return dense_ms(model, gpu, tp, tokens if prefill else batch) + heads + model.layers * attended


def fitted(features: list[list[float]], times: list[float]) -> tuple[list[float], float]:
    """Non-negative coefficients with the least squared relative error, and their mean relative error."""
    X, y = np.array(features), np.array(times)
    found, _ = nnls(X / y[:, None], np.ones(len(y)))
    return [float(f"{value:.6g}") for value in found], float(np.abs(X @ found / y - 1).mean())


def row(name: str, gpu: str, tp: int, decode: tuple[list[float], float], prefill: tuple[list[float], float]) -> dict:  # type: ignore[type-arg]
    names = ("decode_a_ms", "decode_b_ms", "decode_c_ms", "prefill_a_ms", "prefill_b_ms", "prefill_c_ms")
    return {
        "model": name,
        "gpu": gpu,
        "tp": tp,
        "steps": dict(zip(names, decode[0] + prefill[0], strict=True)),
        "errors": {"decode": round(decode[1], 4), "prefill": round(prefill[1], 4)},
    }


def composed(model: Model, gpu: str, tp: int) -> dict:  # type: ignore[type-arg]
    points = [(n, c) for n in BATCHES for c in LENGTHS]
    decode = fitted(
        [[1.0, n, n * c] for n, c in points],
        [step_ms(model, gpu, tp, batch=n, tokens=c, prefill=False) for n, c in points],
    )
    prefill = fitted(
        [[1.0, p, p * p] for p in LENGTHS],
        [step_ms(model, gpu, tp, batch=1, tokens=p, prefill=True) for p in LENGTHS],
    )
    kv_bytes = 2 * model.layers * model.kv_heads * 128 * (1 if model.precision == "fp8" else 2)
    room = (0.9 * MEMORY[gpu] * tp - model.weights - 3.5e9 * tp) / kv_bytes
    return row(model.name, gpu, tp, decode, prefill) | {
        "kv_tokens": int(room),
        "kv_source": "estimated from memory sizes",
        "source": SOURCE,
    }


def rtx_4090() -> dict:  # type: ignore[type-arg]
    """Llama-3.1-8B from its layers' own latencies; chunks of a prompt with a context before them included."""
    data = pd.read_csv(folder() / "layers_rtx4090_llama-3.1-8b_bf16_tp1.csv.gz")
    dense = data[data.table == "dense"].pivot_table(index="tokens", columns="layer", values="time_us")
    twice = ["layernorm"]
    inner = [*twice, "layernorm", "qkv_proj", "rotary_emb", "o_proj", "gate_up_proj", "act_fn", "down_proj"]
    layer = dense["embedding"] + dense["final_layernorm"] + 32 * sum(dense[name] for name in inner)
    head = data[data.table == "per_sequence"].groupby("sequences").time_us.sum()

    def step(tokens: pd.Series, sequences: pd.Series | int, attended: pd.Series) -> list[float]:
        rest = np.interp(tokens, layer.index, layer) + np.interp(sequences, head.index, head)
        return list((rest + 32 * attended) / 1000.0)

    calls = data[data.table == "attention"]
    d = calls[(calls.prefill_chunk == 0) & (calls.kv_decode >= 128) & (calls.n_decode * calls.kv_decode <= 60_000)]
    p = calls[(calls.n_decode == 0) & (calls.prefill_chunk >= 128) & (calls.kv_prefill <= 8192)]
    one = pd.Series(1.0, index=d.index), pd.Series(1.0, index=p.index)
    pairs = 2 * p.prefill_chunk * (p.kv_prefill + p.prefill_chunk / 2)
    decode = fitted(
        pd.concat([one[0], d.n_decode, d.n_decode * d.kv_decode], axis=1).to_numpy().tolist(),
        step(d.n_decode, d.n_decode, d.time_us),
    )
    prefill = fitted(
        pd.concat([one[1], p.prefill_chunk, pairs], axis=1).to_numpy().tolist(),
        step(p.prefill_chunk, 1, p.time_us),
    )
    return row("Llama-3.1-8B", "RTX-4090", 1, decode, prefill) | {
        "kv_tokens": REAL_KV_4090,
        "kv_source": "measured in vLLM 0.19",
        "source": LAYERS,
        "ranges": {"batch": [1, 256], "context": [128, 16384], "prompt": [128, 10240]},
    }


def main() -> int:
    print("| composed against fitted by the tables' engine | decode n=16, 1k | decode n=64, 4k | prefill 1k | 8k |")
    print("|---|---|---|---|---|")
    for model, gpu, tp in KNOWN:
        try:
            shipped = find_profile(model=model.name, gpu=gpu, tp=tp).steps
        except NoProfile:
            continue
        own = composed(model, gpu, tp)["steps"]
        shown = []
        for n, c in ((16, 1024), (64, 4096)):
            mine = own["decode_a_ms"] + own["decode_b_ms"] * n + own["decode_c_ms"] * n * c
            shown.append(mine / (shipped.decode_a_ms + shipped.decode_b_ms * n + shipped.decode_c_ms * n * c) - 1)
        for p in (1024, 8192):
            mine = own["prefill_a_ms"] + own["prefill_b_ms"] * p + own["prefill_c_ms"] * p * p
            whole = shipped.prefill_a_ms + shipped.prefill_b_ms * p + shipped.prefill_c_ms * p * p
            shown.append(mine / whole - 1)
        print(f"| {model.name} {gpu} TP{tp} | " + " | ".join(f"{100 * value:+.1f} %" for value in shown) + " |")
    rows = [composed(*wanted) for wanted in WANTED] + [rtx_4090()]
    print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
