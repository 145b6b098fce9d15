"""Networks of other libraries, trained from scratch on one series: GluonTS' DeepAR and PatchTST, and NHITS.

Their own defaults, with the number of training steps stated here. Several indicators are items of one model, each
scaled by the library; nothing joins them. PatchTST's steps are independent draws of its Student's t, as it defines
them; NHITS (NeuralForecast) has quantiles, joint by the Schaake shuffle.

What is NOT promised: that they are at their best. Nobody tuned them for these series, nor ours.
"""

import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.forecaster.evaluate.baselines.library import LEVELS
from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.shuffle import shuffled
from foretide.forecaster.evaluate.baselines.windows import filled, not_below
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

EPOCHS, BATCHES, BATCH = 30, 50, 64
LONGEST = 512
"""Most rows of context; more costs memory and was not seen to help."""
HITS_STEPS = 1000


@dataclass(frozen=True, slots=True)
class Gluon:
    """`deepar` or `patchtst` of GluonTS. `epochs` of 50 batches of 64 windows."""

    name: str
    epochs: int = EPOCHS

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Raises NotInstalled, also where pandas is too new for the library."""
        with needs(self.name, "gluonts[torch], which takes pandas < 3"), _quiet():
            import torch
            from gluonts.torch import DeepAREstimator, PatchTSTEstimator
            from gluonts.torch.distributions import StudentTOutput

            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 (the library's sampler has no other door)
            shared = {
                "prediction_length": horizon,
                "context_length": min(context, LONGEST),
                "batch_size": BATCH,
                "num_batches_per_epoch": BATCHES,
                "distr_output": StudentTOutput(),
            }
            with tempfile.TemporaryDirectory() as folder:
                trainer = {
                    "max_epochs": self.epochs,
                    "enable_progress_bar": False,
                    "enable_model_summary": False,
                    "logger": False,
                    "default_root_dir": folder,
                }
                if self.name == "deepar":
                    made = DeepAREstimator(freq=_frequency(series.step_s), trainer_kwargs=trainer, **shared)
                else:
                    made = PatchTSTEstimator(patch_len=16, trainer_kwargs=trainer, **shared)
                predictor = made.train(_items(series, [rows]), cache_data=True)
        return _Gluon(predictor)


@dataclass(frozen=True, slots=True)
class _Gluon:
    predictor: Any

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), cut at zero where the series never was below."""
        import torch

        torch.manual_seed(seed)
        with _quiet():
            told = list(self.predictor.predict(_items(series, origins.tolist()), num_samples=count))
        drawn = np.stack([_samples(each, count) for each in told]).reshape(
            len(origins), len(series.columns), count, horizon
        )
        drawn = np.nan_to_num(drawn.transpose(0, 2, 3, 1).astype(np.float64))
        return not_below(drawn, series)


def _samples(forecast: Any, count: int) -> Floats:
    found = forecast.to_sample_forecast(count) if hasattr(forecast, "to_sample_forecast") else forecast
    return np.asarray(found.samples)


def _items(series: Series, ends: list[int]) -> Any:
    """One item per end and indicator, in this order, from the series' first row on."""
    import pandas as pd
    from gluonts.dataset.common import ListDataset

    frequency = _frequency(series.step_s)
    start = pd.Period(pd.Timestamp(series.start_s, unit="s"), freq=frequency)
    values = np.asarray(series.values, dtype=np.float32)
    items = [
        {"start": start, "target": values[:end, column], "item_id": f"{end}-{column}"}
        for end in ends
        for column in range(values.shape[1])
    ]
    return ListDataset(items, freq=frequency)


def _frequency(step_s: float) -> str:
    minutes = step_s / 60
    return f"{round(minutes)}min" if minutes < 60 else f"{round(minutes / 60)}h"


@dataclass(frozen=True, slots=True)
class Nhits:
    """NHITS of NeuralForecast with the multi-quantile loss."""

    name: str = "nhits"
    steps: int = HITS_STEPS

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Raises NotInstalled."""
        with needs(self.name, "neuralforecast"), _quiet():
            from neuralforecast import NeuralForecast
            from neuralforecast.losses.pytorch import MQLoss
            from neuralforecast.models import NHITS

            size = min(context, LONGEST)
            model = NHITS(
                h=horizon,
                input_size=size,
                loss=MQLoss(quantiles=LEVELS.tolist()),
                max_steps=self.steps,
                scaler_type="robust",
                random_seed=seed + 1,
                enable_progress_bar=False,
                enable_model_summary=False,
                logger=False,
                enable_checkpointing=False,
            )
            learner = NeuralForecast(models=[model], freq=1)
            past = filled(np.asarray(series.values)[:rows])
            learner.fit(df=_frame(past, [rows], rows))
        return _Nhits(learner, size)


@dataclass(frozen=True, slots=True)
class _Nhits:
    learner: Any
    size: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), cut at zero where the series never was below."""
        rows, width = filled(series.values), len(series.columns)
        with _quiet():
            told = self.learner.predict(df=_frame(rows, origins.tolist(), self.size))
        named = [column for column in told.columns if str(column).startswith("NHITS")]
        found = told.sort_values(["unique_id", "ds"])[named].to_numpy()
        quantiles = found.reshape(len(origins), width, horizon, len(named)).transpose(0, 3, 2, 1)
        drawn = shuffled(quantiles, levels=LEVELS, series=series, origins=origins, count=count, seed=seed)
        return not_below(drawn, series)


def _frame(rows: Floats, ends: list[int], size: int) -> Any:
    """Long form: `size` rows up to each end, one id per end and indicator that sorts in this order."""
    import pandas as pd

    parts = []
    for place, end in enumerate(ends):
        begin = max(0, end - size)
        for column in range(rows.shape[1]):
            lead = np.full(size - (end - begin), rows[begin, column])
            values = np.concatenate([lead, rows[begin:end, column]])
            parts.append(
                pd.DataFrame({"unique_id": f"{place:07d}-{column:03d}", "ds": np.arange(size) + end, "y": values})
            )
    return pd.concat(parts, ignore_index=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """The libraries announce their devices and deprecations at length."""
    levels = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "pytorch_lightning", "gluonts")}
    for name in levels:
        logging.getLogger(name).setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
