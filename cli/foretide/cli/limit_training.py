"""Trains the concurrency tuner's network with PPO (stable-baselines3, extra `train`), and writes it as an ONNX graph.

Trained on set-ups drawn around the development ones; judged as it learns on the development set-ups themselves, beside
n*, and kept where it did best there: mean gain over n*, with the worst set-up counted once more. The reported set-ups
are never looked at.

What is NOT promised: gains, or the same network from the same seed. A network is told with what it gained and lost on
development traffic, and the shield stands before it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from foretide.policies.concurrency.network_agent import FEATURES, NOTCHES, NetworkAgent, Numbers, Scores
from foretide.policies.concurrency.window import Agent
from foretide.simulator.limit_network import SCORES, SHOWN
from foretide.simulator.relative_env import RelativeEnv, rule_of
from foretide.simulator.tuned import Setup
from foretide.simulator.tuning import run_agent, tally
from foretide.simulator.tuning_setups import DEVELOPMENT, setups

JUDGED_SEED = 700
"""Of the arrivals on which networks are chosen; the reported seeds are small."""
AT_ONCE = 4
"""Episodes side by side, in one process."""
Told = Callable[[int, int, "Judged"], None]
"""Told the seed, the steps so far, and how the network of now does."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Of PPO; chosen on development traffic."""

    steps: int = 20_480
    """Windows that each seed learns from."""
    seeds: tuple[int, ...] = (0, 1)
    judged_every: int = 5120
    units: tuple[int, ...] = (32, 32)
    rollout: int = 256
    """Windows of each of the episodes between two updates."""
    batch: int = 256
    epochs: int = 8
    rate: float = 1e-3
    """Of learning, falling to nought."""
    discount: float = 0.5
    """What a window is owed to the ones before it fades within a few."""
    entropy: float = 0.005


@dataclass(frozen=True, slots=True)
class Judged:
    """Gain over n* on each development set-up, as a share."""

    gains: dict[str, float]

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.gains.values())))

    @property
    def worst(self) -> float:
        return min(self.gains.values())

    @property
    def score(self) -> float:
        return self.mean + self.worst


@dataclass(slots=True)
class Trained:
    """The best network of all seeds, and the curve of each."""

    layers: "Layers" = ()
    graph: bytes = b""
    pair: tuple[Numbers, Numbers] | None = None
    judged: Judged | None = None
    seed: int = 0
    steps: int = 0
    curves: dict[int, list[tuple[int, float, float]]] = field(default_factory=dict)
    """Seed -> (steps, mean gain, worst gain)."""

    def take(self, seed: int, steps: int, judged: Judged, weights: "Layers") -> None:
        self.curves.setdefault(seed, []).append((steps, round(judged.mean, 4), round(judged.worst, 4)))
        if self.judged is None or judged.score > self.judged.score:
            self.judged, self.seed, self.steps = judged, seed, steps
            shown = np.linspace(-1.0, 1.0, len(FEATURES)).astype(np.float32)
            self.layers = weights
            self.graph, self.pair = graph_of(weights), (shown, forward(weights, shown))


def train(recipe: Recipe, *, told: Told) -> Trained:
    """All seeds, one after the other. Needs the extra `train`."""
    found = Trained()
    for seed in recipe.seeds:
        _train_one(recipe, seed, found, told)
    return found


def about(recipe: Recipe, found: Trained) -> dict[str, Any]:
    """What the card tells of how a network came about."""
    assert found.judged is not None
    libraries = {name: version(name) for name in ("stable-baselines3", "gymnasium", "torch")}
    return {
        "algorithm": "PPO",
        "libraries": libraries,
        "recipe": {name: getattr(recipe, name) for name in recipe.__dataclass_fields__},
        "trained_on": f"set-ups drawn around {', '.join(DEVELOPMENT)}; simulated",
        "chosen": {
            "seed": found.seed,
            "steps": found.steps,
            "by": "mean gain over n* plus the worst, on these set-ups",
        },
        "gains_over_best_rule": {name: round(gain, 4) for name, gain in found.judged.gains.items()},
        "proposed_notches": proposed(lambda shown: forward(found.layers, shown)),
        "curves": {str(seed): curve for seed, curve in found.curves.items()},
    }


def judge(scores: Scores) -> Judged:
    """On every development set-up, beside n* on the same arrivals."""
    gains = {}
    for name in DEVELOPMENT:
        setup = setups()[name]
        agent = NetworkAgent(scores, rule_of(setup), bounds=setup.bounds)
        gains[name] = _goodput(agent, setup) / _best_rule(name) - 1.0
    return Judged(gains)


def proposed(scores: Scores) -> dict[str, dict[str, int]]:
    """How often each notch is proposed on every development set-up: a network that knows one alone is told by it."""
    found: dict[str, dict[str, int]] = {}
    for name in DEVELOPMENT:
        counts: Counter[int] = Counter()

        def counting(features: Numbers, *, counts: Counter[int] = counts) -> Numbers:
            given = scores(features)
            counts[NOTCHES[int(np.argmax(given))]] += 1
            return given

        _goodput(NetworkAgent(counting, rule_of(setups()[name]), bounds=setups()[name].bounds), setups()[name])
        found[name] = {str(notch): counts[notch] for notch in sorted(counts)}
    return found


@cache
def _best_rule(name: str) -> float:
    setup = setups()[name]
    return _goodput(rule_of(setup), setup)


def _goodput(agent: Agent, setup: Setup) -> float:
    return tally([(window, 1.0) for window in run_agent(agent, setup, seed=JUDGED_SEED)]).goodput


def _train_one(recipe: Recipe, seed: int, found: Trained, told: Told) -> None:
    model = _learner(recipe, seed)

    def look() -> None:
        weights = weights_of(model.policy)
        judged = judge(lambda shown: forward(weights, shown))
        found.take(seed, model.num_timesteps, judged, weights)
        told(seed, model.num_timesteps, judged)

    model.learn(recipe.steps, callback=_looking(recipe.judged_every, look))
    look()


def _learner(recipe: Recipe, seed: int) -> Any:
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import DummyVecEnv

    torch.set_num_threads(1)
    return PPO(
        "MlpPolicy",
        DummyVecEnv([lambda place=place: gymnasium_of(seed * 1000 + place) for place in range(AT_ONCE)]),
        seed=seed,
        n_steps=recipe.rollout,
        batch_size=recipe.batch,
        n_epochs=recipe.epochs,
        learning_rate=lambda left: recipe.rate * left,
        gamma=recipe.discount,
        gae_lambda=0.9,
        ent_coef=recipe.entropy,
        policy_kwargs={"net_arch": list(recipe.units)},
        device="cpu",
    )


def _looking(every: int, look: Callable[[], None]) -> Any:
    """Looks before the first update after every so many windows."""
    from stable_baselines3.common.callbacks import BaseCallback

    class Looking(BaseCallback):  # type: ignore[misc]
        due = every

        def _on_step(self) -> bool:
            return True

        def _on_rollout_start(self) -> None:
            if self.num_timesteps >= self.due:
                self.due += every
                look()

    return Looking()


def gymnasium_of(seed: int) -> Any:
    """`RelativeEnv` as a `gymnasium.Env`."""
    import gymnasium

    class Relative(gymnasium.Env):  # type: ignore[misc]
        def __init__(self) -> None:
            self._world = RelativeEnv(seed=seed)
            self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (len(FEATURES),), np.float32)
            self.action_space = gymnasium.spaces.Discrete(len(NOTCHES))

        def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Numbers, dict[str, Any]]:
            super().reset(seed=seed, options=options)
            return self._world.reset(seed=seed), {}

        def step(self, action: Any) -> tuple[Numbers, float, bool, bool, dict[str, Any]]:
            state, reward, over = self._world.step(int(action))
            return state, reward, False, over, {}

    return Relative()


Layers = Sequence[tuple[Numbers, Numbers]]
"""(weights (out, in), bias (out,)) of each layer; tanh between them."""


def weights_of(policy: Any) -> Layers:
    """The actor's layers, copied."""
    hidden = [layer for layer in policy.mlp_extractor.policy_net if hasattr(layer, "weight")]
    return [
        tuple(part.detach().cpu().numpy().astype(np.float32).copy() for part in (layer.weight, layer.bias))
        for layer in (*hidden, policy.action_net)
    ]


def forward(layers: Layers, shown: Numbers) -> Numbers:
    """Scores as the graph gives them."""
    found: Numbers = np.asarray(shown, dtype=np.float32)
    for place, (weight, bias) in enumerate(layers):
        found = weight @ found + bias
        found = np.tanh(found) if place < len(layers) - 1 else found
    return found


def graph_of(layers: Layers) -> bytes:
    """The layers as an ONNX graph of Gemm and Tanh, and nothing else."""
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants, name = [], [], SHOWN
    for place, (weight, bias) in enumerate(layers):
        last = place == len(layers) - 1
        constants += [numpy_helper.from_array(weight, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        out = SCORES if last else f"h{place}"
        nodes.append(helper.make_node("Gemm", [name, f"w{place}", f"b{place}"], [out], transB=1))
        name = out
        if not last:
            nodes.append(helper.make_node("Tanh", [out], [f"t{place}"]))
            name = f"t{place}"
    graph = helper.make_graph(
        nodes,
        "limit",
        [helper.make_tensor_value_info(SHOWN, TensorProto.FLOAT, [1, len(FEATURES)])],
        [helper.make_tensor_value_info(SCORES, TensorProto.FLOAT, [1, len(NOTCHES)])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return bytes(model.SerializeToString())
