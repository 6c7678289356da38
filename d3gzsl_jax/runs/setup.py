"""What runs that differ in their seed alone have in common, made once: data, scaled rows, networks, evaluation, compiled loop."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.stages import Compiled
from ml_collections import ConfigDict

from d3gzsl_jax.config.unread import unread, without_effect
from d3gzsl_jax.data import batches
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.data_warnings import find_doubts
from d3gzsl_jax.data.feature_profile import FeatureProfile, profile
from d3gzsl_jax.data.leaks import find_leaks
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.frameworks.structures import Inputs
from d3gzsl_jax.training import memory
from d3gzsl_jax.training.build import Model, has_teacher
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import Sharding


class Setup:
    """Of one benchmark and one configuration, whatever its seed.

    Attributes:
        data, model, sharding: as given.
        arrays: the splits, scaled.
        mode: how batches come to the device, see data/batches.py.
        evaluator: of the test rows.
        loop: the compiled outer steps.
        seen_index: (N,) int32, position of each training row's class among the seen ones.

    Args:
        config: of the runs; its seed does not matter.
        data: what they are trained on.
        model: their networks, sized by the data.
        sharding: over which devices.
        runs: how many they are; several sample their rows on the device, whatever config.data.pipeline says (the same batches).
        overrides: which fields of the configuration were set by hand.
    """

    def __init__(
        self, config: ConfigDict, data: GZSLData, model: Model, sharding: Sharding, runs: int = 1,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.data, self.model, self.sharding = data, model, sharding
        self.arrays = scale_splits(
            data, model.objective.framework.takes_representations, config.data.scaling
        )
        self.mode = "device" if runs > 1 else batches.resolve_mode(config.data.pipeline)
        self.evaluator = Evaluator(
            self.arrays, data.seen_classes, data.unseen_classes, config.eval.batch_size, self.mode != "stream"
        )
        self.loop = Loop(
            model.objective, model.optimization, config.train.n_critic, config.train.batch_size, config.guards.loss_limit, sharding,
            terms_at_once=jax.default_backend() != "cpu",
        )
        self.seen_index = np.searchsorted(data.seen_classes, self.arrays.train_labels).astype(np.int32)
        self._has_folds = config.eval.selection == "validation"
        self._framework = config.framework
        framework, given = model.objective.framework, overrides or {}
        self._of_config = unread(config, given, framework.unread_fields, has_teacher(config, framework, data))
        self._of_config += without_effect(config)
        if "precision" in given and config.precision == "tf32" and jax.default_backend() == "cpu":
            self._of_config.append("config.precision='tf32': a CPU has no such products, and computes in float32; leave it out")
        self._check_step = functools.partial(memory.check_step, config=config, data=data, runs=runs, devices=sharding.devices)

    def described(self) -> str:
        """Data and devices in words."""
        data, processes = self.data, jax.process_count()
        where = f"{jax.devices()[0].device_kind}" + (f" x {self.sharding.devices}" if self.sharding.devices > 1 else "")
        return (
            f"{data.name}: {len(data.trainval)} training rows of {data.feature_size} features, {len(data.seen_classes)} seen and "
            f"{len(data.unseen_classes)} unseen classes, {data.semantic_size} semantic dimensions; {where}"
            + (f" of {processes} processes" if processes > 1 else "")
        )

    @functools.cached_property
    def warnings(self) -> list[str]:
        """What of the test rows could be learned from training rows, what of the data will hardly do, and what was set and means
        nothing or has no effect, a line each."""
        return find_leaks(self.data) + self._doubts() + self._not_unit_semantics() + self._of_config

    def _doubts(self) -> list[str]:
        framework = self.model.objective.framework
        return find_doubts(self.data, self.arrays, self._framework, framework.ends_in, framework.unit_range, self._has_folds)

    @functools.cached_property
    def profile(self) -> FeatureProfile:
        """What the raw features of trainval look like."""
        return profile(self.data.features[self.data.trainval])

    def looks(self) -> str:
        """That in words, and what is done with them."""
        ends_in = self.model.objective.framework.ends_in
        return f"features: {self.profile.described()}; scaling {self.arrays.scaling.kind}, generator's output {ends_in}"

    def _not_unit_semantics(self) -> list[str]:
        """What to say where the base method takes semantics for unit vectors, and they are not."""
        if not self.model.objective.framework.unit_semantics:
            return []
        if np.abs(np.linalg.norm(self.data.semantics, axis=1) - 1.0).max() < 1e-3:
            return []
        return ["the framework is for semantics of length 1, which these are not: see --config.data.normalize_semantics"]

    @functools.cached_property
    def rows(self) -> tuple[jax.Array, jax.Array]:
        """The training rows (N, dx), or wider with representations, and their labels (N,), on every device; not for streaming."""
        rows: Any = self.arrays.train_rows, self.arrays.train_labels
        return self.sharding.replicate(rows if self.sharding.mesh else jax.device_put(rows))

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases of an outer step, in their order."""
        return tuple(phase.name for phase in self.model.objective.framework.phases(0))

    def example_inputs(self) -> Inputs:
        """Shapes of what a call of the loop is given."""
        rows = jax.ShapeDtypeStruct((1, self.loop.batches, self.loop.batch), np.int32)
        features = jax.ShapeDtypeStruct((*rows.shape, self.arrays.train_rows.shape[1]), np.float32)
        shapes: dict[str, Any] = {"device": None, "index": rows, "stream": (features, rows)}
        return shapes[self.mode]

    def check_step(self, compiled: Compiled) -> None:
        """Refuses a compiled step that does not fit the memory there is; see `memory.check_step`."""
        self._check_step(compiled)
