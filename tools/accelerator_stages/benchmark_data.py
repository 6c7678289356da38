"""The rows that the stages train on: real features from a given folder, or simulated ones of CUB's size."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tools.accelerator_stages.stage import NotHereError, Stage
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

REAL = "vgg768.mat"
_CUB = MatSize(768, 312, 150, 50, 7057, 1764, 2967)
_TINY = MatSize(32, 8, 6, 4, 200, 20, 20)


class Source(NamedTuple):
    """What is trained on, and the fields of a configuration that say so."""

    name: str
    options: dict[str, str]


def source(stage: Stage) -> Source:
    """The folder that was given, or a simulated one, written where it is not yet.

    Raises:
        NotHereError: the given folder does not hold the features.
    """
    pipeline = {"data.pipeline": "device"}
    if stage.data:
        folder = Path(stage.data)
        if not (folder / REAL).is_file():
            raise NotHereError(f"--data {folder}: there is no {REAL} in it")
        kind = "sent" if (folder / "sent_splits.mat").is_file() else "att"
        real = {"data.root": str(folder.resolve()), "data.feature_file": REAL, "data.semantics": kind}
        return Source(f"real features ({REAL}, {kind}_splits.mat)", real | pipeline)
    folder = stage.output / "simulated" / ("tiny" if stage.quick else "cub")
    if not (folder / "att_splits.mat").is_file():
        mat_files.write(folder, mat_files.simulate(_TINY if stage.quick else _CUB, 0, np.float32))
    options = {"data.root": str(folder.resolve()), "data.feature_file": "res101.mat", "data.semantics": "att"}
    return Source("a few simulated rows" if stage.quick else "simulated rows of CUB's size", options | pipeline)


NARROW = {
    "networks.generator_hidden": "16", "networks.critic_hidden": "16", "networks.embedding": "16", "networks.noise": "8",
    "train.batch_size": "16", "teacher.batch_size": "16",
}  # fmt: skip
"""Of --quick."""
