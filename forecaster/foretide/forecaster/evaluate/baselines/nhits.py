"""NHITS (NeuralForecast) with the multi-quantile loss, trained from scratch on one series.

The library's own defaults, with the number of steps stated here, the newest training rows held back, and the weights
kept that forecast those best. Several indicators are items of one model, each scaled by the library; the Schaake
shuffle makes its quantiles joint.

What is NOT promised: that it is at its best. Nobody tuned it for these series, nor ours.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretide.forecaster.evaluate.baselines.held_back import quiet, split_of
from foretide.forecaster.evaluate.baselines.library import LEVELS
from foretide.forecaster.evaluate.baselines.missing import needs
from foretide.forecaster.evaluate.baselines.shuffle import shuffled
from foretide.forecaster.evaluate.baselines.windows import filled, not_below
from foretide.forecaster.evaluate.model import Fitted, Series
from foretide.forecaster.past import Indices
from foretide.policies.flow import Floats

STEPS, CHECKED, PATIENCE, BATCH = 800, 50, 4, 256
"""At most 800 steps of 256 windows, judged every 50; four judgements without improvement are the end."""
LONGEST = 512


@dataclass(frozen=True, slots=True)
class Nhits:
    """A `Model`."""

    name: str = "nhits"
    steps: int = STEPS

    def fit(self, *, series: Series, rows: int, horizon: int, context: int, seed: int) -> Fitted:
        """Raises NotInstalled, and ValueError where rows are too few to hold any back."""
        held, size = rows - split_of(rows, horizon=horizon), min(context, LONGEST)
        with needs(self.name, "neuralforecast"), quiet():
            from neuralforecast import NeuralForecast
            from neuralforecast.losses.pytorch import MQLoss
            from neuralforecast.models import NHITS

            model = NHITS(
                h=horizon,
                input_size=size,
                loss=MQLoss(quantiles=LEVELS.tolist()),
                max_steps=self.steps,
                windows_batch_size=BATCH,
                val_check_steps=min(CHECKED, self.steps),
                early_stop_patience_steps=PATIENCE,
                callbacks=[_best_kept()],
                scaler_type="robust",
                random_seed=seed + 1,
                enable_progress_bar=False,
                enable_model_summary=False,
                logger=False,
                enable_checkpointing=False,
            )
            learner = NeuralForecast(models=[model], freq=1)
            past = filled(np.asarray(series.values)[:rows])
            learner.fit(df=_frame(past, [rows], rows), val_size=held)
        return _Nhits(learner, size)


def _best_kept() -> Any:
    """A callback of the library's trainer that ends with the weights that were best on the held-back rows.

    The library stops early by itself, with the weights of its last step.
    """
    from pytorch_lightning.callbacks import Callback

    class Best(Callback):  # type: ignore[misc,unused-ignore]
        loss, weights = float("inf"), None

        def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
            loss = float(trainer.callback_metrics["ptl/val_loss"])
            if loss < self.loss and not trainer.sanity_checking:
                self.loss = loss
                self.weights = {name: value.detach().clone() for name, value in pl_module.state_dict().items()}

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            del trainer
            if self.weights is not None:
                pl_module.load_state_dict(self.weights)

    return Best()


@dataclass(frozen=True, slots=True)
class _Nhits:
    learner: Any
    size: int

    def paths(self, *, series: Series, origins: Indices, horizon: int, count: int, seed: int) -> Floats:
        """Joint paths (O, count, horizon, N), cut at zero where the series never was below."""
        rows, width = filled(series.values), len(series.columns)
        with quiet():
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
