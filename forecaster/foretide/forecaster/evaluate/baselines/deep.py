"""GluonTS' DeepAR and PatchTST, trained from scratch on one series.

The library's own defaults, with the number of training steps stated here, the newest training rows held back, and the
weights kept that forecast those best. Several indicators are items of one model, each scaled by the library; nothing
joins them. PatchTST's steps are independent draws of its Student's t, as it defines them.

What is NOT promised: that they are at their best. Nobody tuned them for these series, nor ours.
"""

import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.forecaster.evaluate.baselines.held_back import ends_held, quiet, split_of
from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.windows import not_below
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

EPOCHS, BATCHES, BATCH, PATIENCE = 16, 50, 32, 4
"""At most 16 epochs of 50 batches of 32 windows; four without improvement are the end."""
LONGEST = {"deepar": 128, "patchtst": 256}
"""Most rows of context; more costs time. DeepAR's lags reach further back by themselves."""


@dataclass(frozen=True, slots=True)
class Gluon:
    """`deepar` or `patchtst` of GluonTS."""

    name: str
    epochs: int = EPOCHS

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Raises NotInstalled, also where pandas is too new for the library, and ValueError where rows are too few."""
        split, ends = split_of(rows, horizon=horizon), ends_held(rows, horizon=horizon)
        with needs(self.name, "gluonts[torch], which takes pandas < 3"), quiet():
            import torch
            from lightning.pytorch.callbacks import EarlyStopping

            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002 (the library's sampler has no other door)
            with tempfile.TemporaryDirectory() as folder:
                trainer = {
                    "max_epochs": self.epochs,
                    "callbacks": [EarlyStopping("val_loss", patience=PATIENCE)],
                    "enable_progress_bar": False,
                    "enable_model_summary": False,
                    "logger": False,
                    "default_root_dir": folder,
                }
                made = _estimator(self.name, series, horizon, min(context, LONGEST[self.name]), trainer)
                predictor = made.train(_items(series, [split]), _items(series, ends), cache_data=True)
        return _Gluon(predictor)


def _estimator(name: str, series: Series, horizon: int, context: int, trainer: dict[str, Any]) -> Any:
    from gluonts.torch import DeepAREstimator, PatchTSTEstimator

    shared = {
        "prediction_length": horizon,
        "context_length": context,
        "batch_size": BATCH,
        "num_batches_per_epoch": BATCHES,
        "trainer_kwargs": trainer,
    }
    if name == "deepar":
        return DeepAREstimator(freq=_frequency(series.step_s), **shared)
    return PatchTSTEstimator(patch_len=min(16, context), **shared)


@dataclass(frozen=True, slots=True)
class _Gluon:
    predictor: Any

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), cut at zero where the series never was below."""
        import torch

        torch.manual_seed(seed)
        with quiet():
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
