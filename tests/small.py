"""Small problems for tests: a benchmark in the xlsa17 layout, and the objects of a training step."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import scipy.io

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.frameworks.base import Framework, Sizes
from d3gzsl_jax.frameworks.networks import Embedding
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.representations import ENCODER
from d3gzsl_jax.frameworks.schedule import Draw, Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, TrainState
from d3gzsl_jax.keys import root_key, stream
from d3gzsl_jax.training.loop import Constants
from d3gzsl_jax.training.optimizers import Optimization


def mat_arrays() -> dict[str, dict[str, np.ndarray]]:
    """The variables of `res101.mat` and `att_splits.mat`: 60 rows of 12 features, 6 classes (4 seen), 1-based."""
    rng = np.random.default_rng(1)
    labels = np.repeat(np.arange(1, 7), 10)
    seen_rows = np.flatnonzero(labels <= 4)
    test_seen = seen_rows[seen_rows % 5 == 0]
    trainval = np.setdiff1d(seen_rows, test_seen)
    column = lambda rows: (rows + 1).astype(np.uint16)[:, None]  # noqa: E731
    return {
        "res101": {"features": rng.uniform(0, 5, (12, 60)), "labels": labels.astype(np.uint8)[:, None]},
        "att_splits": {
            "att": rng.uniform(0, 1, (5, 6)),
            "allclasses_names": np.array([f"bird {c}" for c in range(1, 7)], object)[:, None],
            "trainval_loc": column(trainval),
            "test_seen_loc": column(test_seen),
            "test_unseen_loc": column(np.flatnonzero(labels > 4)),
        },
    }


def write_mat_folder(folder: Path, **changes: dict[str, object]) -> None:
    """Writes the folder as MATLAB 5 files. `changes` by file: variables to replace, None to leave one out."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, variables in mat_arrays().items():
        variables |= changes.get(name, {})
        scipy.io.savemat(folder / f"{name}.mat", {key: value for key, value in variables.items() if value is not None})


def write_hdf5_folder(folder: Path) -> None:
    """Writes the same folder as MATLAB 7.3 files: HDF5, every matrix transposed, cells as references to characters."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, variables in mat_arrays().items():
        with h5py.File(folder / f"{name}.mat", "w") as file:
            for key, value in variables.items():
                if value.dtype == object:
                    refs = []
                    for index, text in enumerate(value.ravel()):
                        codes = file.create_dataset(f"#refs#/{key}{index}", data=np.array([[ord(c)] for c in text], np.uint16))
                        refs.append(codes.ref)
                    file.create_dataset(key, data=np.array([refs], object), dtype=h5py.ref_dtype)
                else:
                    file.create_dataset(key, data=value.T)


def simulated(unseen_rows: bool = False, seen_rows: bool = True) -> GZSLData:
    """Validated data of 12 classes (9 seen), whose 10 features follow from 6 semantic dimensions; of the unseen classes there are no
    rows unless `unseen_rows` asks for test rows of them, `seen_rows` likewise. What has no test rows is not in the data at all."""
    rng = np.random.default_rng(7)
    semantics = rng.uniform(0, 1, (12, 6)).astype(np.float32)
    labels = np.repeat(np.arange(12), 20)
    centers = semantics @ rng.normal(size=(6, 10))
    features = np.maximum(centers[labels] + 0.1 * rng.normal(size=(240, 10)), 0).astype(np.float32)
    tested = np.arange(240) % 20 >= 15
    role = np.select([labels >= 9, tested], ["test_unseen", "test_seen"], "trainval")
    there = (role == "trainval") | ((role == "test_unseen") & unseen_rows) | ((role == "test_seen") & seen_rows)
    return validate(
        GZSLData(
            name="simulated", features=features[there], labels=labels[there], semantics=semantics,
            class_names=tuple(f"kind {label}" for label in range(12)), declared_unseen=np.arange(9, 12),
            **{name: np.flatnonzero(role[there] == name) for name in ("trainval", "test_seen", "test_unseen")},
            provenance={"source": "arrays", "feature_file": "", "semantics": "simulated"},
        )
    )


def write_quick_config(folder: Path, **fields: object) -> str:
    """A configuration file configs/quick.py in `folder`, digits.py with some fields (dots written __) replaced: seconds a run."""
    root = Path(__file__).resolve().parent.parent
    changes = {name.replace("__", "."): value for name, value in fields.items()}
    path = folder / "configs" / "quick.py"
    path.parent.mkdir()
    path.write_text(
        f"import sys\nsys.path.insert(0, {str(root)!r})\nfrom configs import digits\n\n\n"
        f"def get_config(variant='d3'):\n    config = digits.get_config(variant)\n"
        f"    config.update_from_flattened_dict({changes!r})\n    return config\n"
    )
    return str(path)


@dataclasses.dataclass
class Problem:
    """Everything a step or a loop needs, at sizes where a step takes a millisecond."""

    objective: Objective
    optimization: Optimization
    state: TrainState
    constants: Constants
    n_critic: int = 3
    batch: int = 16


def update_of(framework: Framework, name: str) -> tuple[Phase, Update]:
    """The phase of this name in the first pass, and its only update."""
    phase = next(phase for phase in framework.phases(0) if phase.name == name)
    (update,) = phase.updates
    return phase, update


OPTIONS = {
    "wgan": {},
    "fclswgan": {"classification_weight": 0.5, "classifier_epochs": 2, "classifier_batch_size": 20},
    "cegzsl": {"projection": 7, "comparator_hidden": 11, "weight_instance": 0.3, "weight_class": 0.2},
    "cadavae": {
        "latent": 5, "feature_encoder_hidden": 17, "semantic_encoder_hidden": 13, "feature_decoder_hidden": 19,
        "semantic_decoder_hidden": 9, "kl_end": 2, "cross_start": 0, "cross_end": 2, "distance_start": 0, "distance_end": 1,
        "seen_rows": 15,
    },
    "free": {"center_margin": 4.0, "weight_semantic": 0.3},
}


def first_stage(base: Framework, root: jax.Array, encoder: bool = True) -> Params:
    """The groups that a trained first stage leaves behind, with fresh parameters, and an encoder of representations; {} for most.

    Args:
        encoder: False: rows come with representations behind their features.
    """
    if not base.first_stage:
        return {}
    sizes = dataclasses.replace(base.sizes, features=base.sizes.representation)
    made = FRAMEWORKS[base.first_stage](sizes).init(stream(root, "first stage"))
    groups = {ours: made[theirs] for ours, theirs in base.first_stage_groups.items()}
    if not encoder:
        return groups
    size = sizes.features
    embedding = Embedding(width=size).init(stream(root, "encoder"), jnp.zeros((1, base.sizes.features)))
    return groups | {ENCODER: {"embedding": embedding, "scale": jnp.full(size, 5.0), "offset": jnp.zeros(size)}}


def problem(seed: int = 0, framework: str | type[Framework] = "wgan", **distillation: object) -> Problem:
    """30 features, 10 semantic dimensions, 12 classes (8 seen), 100 rows."""
    rng = np.random.default_rng(5)
    features, semantics, seen, classes, rows = 30, 10, 8, 12, 100
    teacher = Teacher(seen=seen, embedding_width=14)
    options = {"n_syn": 2, "weight_cls": 1e-1, "weight_od": 1e-1, "weight_be": 1e-1, "weight_kl": 1e-1} | distillation
    takes_representations = framework == "zerodiff"
    sizes = Sizes(
        features=features, semantics=semantics, noise=6, seen=seen, generator_hidden=20, critic_hidden=18, embedding=14,
        representation=9 if takes_representations else 0,
    )
    base = FRAMEWORKS[framework](sizes, **OPTIONS.get(framework, {})) if isinstance(framework, str) else framework(sizes)
    objective = Objective(
        base,
        Distillation(teacher=teacher, classes=classes, embedding_width=14, **options),
    )
    optimization = Optimization(
        learning_rates=dict.fromkeys(objective.groups, 1e-3), factors={}, decay_every=20, steps_per_epoch=7,
        rules=objective.rules,
    )
    root = root_key(seed)
    x = jnp.asarray(rng.uniform(size=(rows, features)), jnp.float32)
    ids = rng.permutation(classes)
    classes_ = Classes(
        semantics=jnp.asarray(rng.uniform(size=(classes, semantics)), jnp.float32),
        seen=jnp.asarray(np.sort(ids[:seen]), jnp.int32), unseen=jnp.asarray(np.sort(ids[seen:]), jnp.int32),
    )
    labels = classes_.seen[jnp.asarray(rng.integers(0, seen, rows))]
    params = objective.init(root) | base.pretrain(root, x, jnp.searchsorted(classes_.seen, labels))
    params |= first_stage(base, root)
    teacher_params = teacher.init(root, features)
    # A fresh teacher is nearly constant; scale it so that its scores differ between rows.
    teacher_params = jax.tree.map(lambda leaf: 20.0 * leaf, teacher_params)
    table = Batch(features=x, labels=labels, teacher=teacher.outputs(teacher_params, x))
    return Problem(
        objective, optimization,
        TrainState(step=jnp.int32(0), params=params, opt_state=optimization.init(params), method=base.initial_state()),
        Constants(root=root, teacher=teacher_params, classes=classes_, rows=table),
    )


def scaled(framework: str, by: float = 10.0) -> Problem:
    """A problem whose networks have larger weights: fresh ones are nearly constant, and their rows and losses hardly differ."""
    p = problem(framework=framework)
    p.state = p.state.replace(params=jax.tree.map(lambda leaf: by * leaf, p.state.params))
    return p


def drawn(draws: Mapping[str, Draw], rows: int, first: int = 0) -> dict[str, jax.Array]:
    """So many rows of each of the draws, by keys that count from `first`."""
    return {name: draw.sample(jax.random.key(first + at), rows) for at, (name, draw) in enumerate(draws.items())}
