"""The public FREE script (train_free.py of shiming-chen/FREE): its options, and what it needs to run on today's PyTorch."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.parity_parts import old_torch, script_tfvaegan
from tools.parity_parts.reference_script import find_script, narrow, run_script
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = "shiming-chen/FREE", "train_free.py"
WRITTEN_WIDTH = 4096  # of the hidden layers of encoder and generator
# image-scripts/run_cub.py, sizes and what the script does not read apart.
CUB = {
    "dataset": "CUB", "gammaD": 10, "gammaG": 10, "manualSeed": 3483, "nepoch": 501, "ngh": 4096, "ndh": 4096, "lr": 1e-4,
    "classifier_lr": 1e-3, "lambda1": 10, "critic_iter": 1, "batch_size": 64, "syn_num": 700, "dec_lr": 1e-4, "loop": 2,
    "center_margin": 200, "center_weight": 0.5, "incenter_weight": 0.8, "recons_weight": 0.001, "encoded_noise": True,
}  # fmt: skip


def command_line(size: MatSize, chosen: dict[str, Any]) -> list[str]:
    """The script's options for a benchmark of this size. The dataset's name decides which other centre there is."""
    words = script_tfvaegan.command_line(size, {name: value for name, value in chosen.items() if name != "dataset"})
    # Half the width of the refiner's hidden layer is an option of its own.
    further = {"dataset": chosen["dataset"], "nclass_seen": size.seen, "latensize": chosen["ngh"] // 2, "result_root": "results"}
    return words + [word for name, value in further.items() for word in (f"--{name}", str(value))]


def run(checkout: Path, size: MatSize, chosen: dict[str, Any], write: Callable[[Path], None], watch: Callable[[], None]) -> None:
    """Runs the script on simulated data; arguments as of `script_tfvaegan.run`, the checkout being of shiming-chen/FREE.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    path = find_script(checkout, SCRIPT, SOURCE)

    def prepare() -> None:
        old_torch.gradients_of_scalars()
        old_torch.factors_before_matrices()
        if chosen["ngh"] != WRITTEN_WIDTH:
            narrow({WRITTEN_WIDTH: chosen["ngh"]})
        watch()

    # A module that it imports and never uses is not in the checkout.
    run_script(
        path, command_line(size, chosen), lambda folder: write(folder / "data" / chosen["dataset"]), prepare, ("classifier_cls",)
    )
