"""The public TF-VAEGAN script (train_images.py of akshitac8/tfvaegan): its options, and what it needs to run on today's PyTorch."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.parity_parts import old_torch
from tools.parity_parts.reference_script import find_script, narrow, run_script
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = "akshitac8/tfvaegan", "train_images.py"
WRITTEN_WIDTH = 4096  # of all hidden layers but the critic's, in its networks and in its call of the classifier
# scripts/run_cub_tfvaegan.py, sizes apart.
CUB = {
    "gammaD": 10, "gammaG": 10, "manualSeed": 3483, "nepoch": 300, "ngh": 4096, "ndh": 4096, "lr": 1e-4, "classifier_lr": 1e-3,
    "lambda1": 10, "critic_iter": 5, "batch_size": 64, "syn_num": 300, "recons_weight": 0.01, "a1": 1, "a2": 1, "feed_lr": 1e-5,
    "dec_lr": 1e-4, "feedback_loop": 2, "encoded_noise": True,
}  # fmt: skip


def command_line(size: MatSize, chosen: dict[str, Any]) -> list[str]:
    """The script's options for a benchmark of this size; a value that is True or False says whether a switch is given."""
    values = chosen | {
        "gzsl": True, "preprocessing": True, "cuda": True, "dataroot": "data", "dataset": "simulated", "class_embedding": "att",
        "image_embedding": "res101", "nclass_all": size.seen + size.unseen, "resSize": size.features, "attSize": size.semantics,
        "nz": size.semantics, "latent_size": size.semantics,
    }  # fmt: skip
    parts = [[f"--{name}"] if value is True else [f"--{name}", str(value)] for name, value in values.items() if value is not False]
    return [word for part in parts for word in part]


def run(checkout: Path, size: MatSize, chosen: dict[str, Any], write: Callable[[Path], None], watch: Callable[[], None]) -> None:
    """Runs the script on simulated data.

    Args:
        checkout: of akshitac8/tfvaegan.
        size: of the data.
        chosen: values of its options, 'ngh' and 'syn_num' among them.
        write: writes its files into a new folder.
        watch: called when the script's modules can be imported, as `prepare` of `run_script`.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    path = find_script(checkout, SCRIPT, SOURCE)

    def prepare() -> None:
        old_torch.gradients_of_scalars()
        old_torch.numbers_by_index()
        if chosen["ngh"] != WRITTEN_WIDTH:
            narrow({WRITTEN_WIDTH: chosen["ngh"]})
            _narrow_classifier(chosen["ngh"])
        watch()

    run_script(path, command_line(size, chosen), lambda folder: write(folder / "data" / "simulated"), prepare)


def _narrow_classifier(width: int) -> None:
    """Its final classifier is told how wide the decoder's hidden layer is."""
    classifier = importlib.import_module("classifiers.classifier_images").CLASSIFIER
    plain = classifier.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        plain(self, *args, **kwargs | {"dec_hidden_size": width})

    classifier.__init__ = init
