"""The public CADA-VAE script (model/single_experiment.py of edgarschnfld/CADA-VAE-PyTorch): its settings, and what it needs to run
on today's PyTorch."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.parity_parts import old_torch
from tools.parity_parts.reference_script import find_script, import_torch, narrow, run_script
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = "edgarschnfld/CADA-VAE-PyTorch", "model/single_experiment.py"
DATASET = "CUB"  # the script has no others than those it knows by name
WRITTEN_FEATURES = 2048


def run(
    checkout: Path, size: MatSize, changes: dict[str, Any], write: Callable[[Path], None], watch: Callable[[], None], seed: int = 0
) -> None:
    """Runs the script on simulated data.

    Args:
        checkout: of edgarschnfld/CADA-VAE-PyTorch.
        size: of the data.
        changes: entries of its table of hyperparameters, which its command line does not reach.
        write: writes its files into a new folder.
        watch: called when the script's modules can be imported, as `prepare` of `run_script`.
        seed: of torch; the script sets none.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    path = find_script(checkout, SCRIPT, SOURCE)

    def prepare() -> None:
        old_torch.devices()
        import_torch().manual_seed(seed)
        if size.features != WRITTEN_FEATURES:
            narrow({WRITTEN_FEATURES: size.features})
        # A loader of batches is made of the data set, and never used: it only asks for a length.
        loader = importlib.import_module("data_loader").DATA_LOADER
        loader.__len__ = lambda self: self.ntrain
        _change_model(size, changes)
        watch()

    arguments = ["--dataset", DATASET, "--num_shots", "0", "--generalized", "true"]
    run_script(path, arguments, lambda folder: write(folder / "data" / DATASET), prepare)


def _change_model(size: MatSize, changes: dict[str, Any]) -> None:
    """Its model is made with other hyperparameters, and for as many classes as there are."""
    model = importlib.import_module("vaemodel").Model
    plain = model.__init__

    def init(self: Any, hyperparameters: dict[str, Any]) -> None:
        hyperparameters.update(changes)
        plain(self, hyperparameters)
        self.num_classes, self.num_novel_classes = size.seen + size.unseen, size.unseen

    model.__init__ = init
