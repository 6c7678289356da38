"""What runs that differ in their seed alone have in common, made once: scaled rows, evaluation, the compiled loop, warnings."""

import functools

import jax
from ml_collections import ConfigDict

from d3gzsl_jax.data import batches
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.leaks import find_leaks
from d3gzsl_jax.data.quality import find_doubts
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.training.build import Model
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import Sharding


class Shared:
    """Of one benchmark and one configuration, whatever its seed.

    Args:
        config, data, model, sharding: of the runs.
        on_device: rows are sampled on the device, whatever config.data.pipeline says; the batches are the same.
    """

    def __init__(self, config: ConfigDict, data: GZSLData, model: Model, sharding: Sharding, on_device: bool = False) -> None:
        self._data, self.arrays = data, scale_splits(data)
        self.mode = "device" if on_device else batches.resolve_mode(config.data.pipeline)
        self.evaluator = Evaluator(
            self.arrays, data.seen_classes, data.unseen_classes, config.eval.batch_size, self.mode != "stream"
        )
        self.compiled = Loop(
            model.objective, model.optimization, config.train.n_critic, config.train.batch_size, config.guards.loss_limit, sharding
        )

    @functools.cached_property
    def warnings(self) -> list[str]:
        """What of the test rows could be learned from training rows, and what of the data will hardly do, a line each."""
        return find_leaks(self._data) + find_doubts(self._data, self.arrays)

    @functools.cached_property
    def features(self) -> jax.Array:
        """The training rows (N, dx) on the device; not for streaming."""
        return jax.device_put(self.arrays.train_features)
