"""Records the released D3GZSL loop on its WGAN-GP base (gzsl/main.py of PJBQ/D3GZSL). Needs torch, not JAX.

Everything is read off the running script: its variables at the steps of its optimisers, the inputs and outputs of its modules, what
it draws, what it logs. Nothing is recomputed. The width of generator and critic is written into its networks, so linear layers of
that width are built with another.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tools.parity_parts import reference_script as reference
from tools.parity_parts.recorder import Recorder, rate
from tools.parity_parts.reference_script import import_torch, is_variable, variable
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = "PJBQ/D3GZSL", "gzsl/main.py"
WRITTEN_WIDTH = 4096  # of generator and critic
OTHER_OPTION_FILES = ("argsawa", "argsawa2", "argsflo", "argssun")  # imported by the script, not in the repository
STUDENT = ("student_embed", "student_head", "confidence")
RATES = {"G": "optimizerG", "D": "optimizerD", "Map": "optimizerMap", "FCLS": "optimizerFCLS", "Sigmoid": "optimizerSigmoid"}
COMMON = {"lr": 1e-3, "o_epoch": 2}
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=7, seen=10, unseen=4, train=70, test_seen=30, test_unseen=40),
        {"hidden": 28, "embedSize": 18, "nz": 5, "batch_size": 14, "gan_batch_size": 20, "critic_iter": 3, "ood_train_syn_num": 4,
         "oodclass_loss_para": 0.6, "bi_loss_para": 0.4, "kl_loss_para": 0.5, "g_epoch": 3},
    ),
    "medium": (
        MatSize(features=64, semantics=16, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        {"hidden": 128, "embedSize": 96, "nz": 12, "batch_size": 32, "gan_batch_size": 24, "critic_iter": 5, "ood_train_syn_num": 5,
         "oodclass_loss_para": 0.3, "bi_loss_para": 0.7, "kl_loss_para": 0.2, "g_epoch": 2},
    ),
}  # fmt: skip


def script_options(size: MatSize, chosen: dict[str, Any], seed: int) -> dict[str, Any]:
    """The script's options for a benchmark of this size."""
    sizes = {
        "x_dim": size.features, "attr_dim": size.semantics, "n_class_all": size.seen + size.unseen, "n_class_seen": size.seen,
        "out_dim": size.seen + size.unseen, "dataset": "simulated", "res_path": "./data/res101.mat",
        "att_path": "./data/att_splits.mat", "manualSeed": seed,
    }  # fmt: skip
    return sizes | {name: value for name, value in chosen.items() if name != "hidden"}


def set_script_options(values: dict[str, Any]) -> None:
    """Gives the options of the script's CUB file other values, before the script reads them."""
    options = importlib.import_module("argscub")
    options.init_args = reference.set_options(options.init_args, values)


class WGANRecorder(Recorder):
    """Watches the script: pretraining batch by batch, every update, every epoch."""

    networks = {  # noqa: RUF012
        "generator": "netG", "critic": "netD", "student_embed": "netMap", "student_head": "netF_CLS",
        "teacher_embed": "netOODMap", "teacher_head": "netOOD", "confidence": "net_sigmoid",
    }  # fmt: skip

    def __init__(self, raw: dict[str, np.ndarray], hidden: int) -> None:
        super().__init__()
        self.raw, self.hidden = raw, hidden
        self.pretraining, self.batch, self.epoch = 0, 0, 0

    def begin(self) -> None:
        """Before the first step of all: options, data, initial parameters."""
        data = variable("data_train")
        self.put_config(vars(variable("opt")) | {"hidden": self.hidden})
        self.put_data(self.raw, data, data.map_label)
        self.put_networks("init/")

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter of the update has moved."""
        if not self.arrays:
            self.begin()
        if is_variable(optimizer, "optimizerOOD"):
            at = f"pretrain/epoch{self.pretraining}/batch{self.batch}/"
            self.put(f"{at}features", variable("feature_O"))
            self.put(f"{at}seen_label", variable("map_label_O"))
            self.batch += 1
        elif is_variable(optimizer, "optimizerD"):
            self.record_update("critic", "D_loss", "weight_loss_D")
        elif is_variable(optimizer, "optimizerG"):
            self.record_update("generator", "G_loss", "weight_loss_G")

    def record_update(self, kind: str, loss: str, weighted: str) -> None:
        """One update as the script has it between its backward pass and its first step."""
        at = self.name
        self.put(f"{at}/kind", kind)
        self.put(f"{at}/loss", variable(loss))
        self.put(f"{at}/weighted_distillation", variable(weighted))
        for key, name in (("cls", "final_cls_loss"), ("od", "sequence_loss"), ("kd", "kl_loss")):
            self.put(f"{at}/term/{key}", variable(name))
        for key, name in (("features", "features"), ("att", "input_att"), ("label", "label"), ("seen_label", "map_label")):
            self.put(f"{at}/batch/{key}", variable(name))
        self.put(f"{at}/noise/fake", variable("noise_gen"))
        self.take("noise/unseen", "term/embedding_kd", "term/label_kd")
        if kind == "critic":
            self.take("noise/interp")
            self.put(f"{at}/gradient_penalty", variable("gradient_penalty"))
        self.put_networks(f"{at}/grad/", (kind, *STUDENT), gradients=True)

    def after_step(self, optimizer: Any) -> None:
        """The confidence is the last to step."""
        if is_variable(optimizer, "optimizerSigmoid"):
            self.end_update()

    def logged(self, values: dict[str, Any]) -> None:
        """What the script logs at the end of an epoch, of pretraining or of training."""
        if "Loss_ood" in values:
            at = f"pretrain/epoch{self.pretraining}/"
            names = {"loss_sum": "Loss_ood", "seen_accuracy": "acc_oodcls", "id_accuracy": "acc_id", "ood_accuracy": "acc_ood"}
            for key, name in names.items():
                self.put(at + key, values[name])
            self.put_networks(f"{at}after/", ("teacher_embed", "teacher_head"))
            self.pretraining, self.batch = self.pretraining + 1, 0
        elif "epoch" in values:
            at = f"epoch{self.epoch}/"
            for key in ("seen", "unseen"):
                self.put(at + key, values[key])
            for key, optimizer in RATES.items():
                self.put(f"{at}lr/{key}", rate(optimizer))
            self.put(f"{at}nsteps", self.updates)
            self.put_networks(f"{at}after/")
            self.epoch += 1


def watch(recorder: WGANRecorder) -> None:
    """Hooks the recorder into torch and into the script's modules, which can be imported but have not been."""
    torch = import_torch()
    reference.watch_steps(recorder.before_step, recorder.after_step)
    sys.modules["wandb"].log = recorder.logged
    plain_rand = torch.rand

    def rand(*args: Any, **kwargs: Any) -> Any:
        drawn = plain_rand(*args, **kwargs)
        recorder.draw("noise/interp", drawn)
        return drawn

    torch.rand = rand
    util = importlib.import_module("util")
    plain_distillation = util.batch_embed_distillation

    def distillation(*args: Any, **kwargs: Any) -> Any:
        loss = plain_distillation(*args, **kwargs)
        recorder.draw("term/embedding_kd", loss)
        return loss

    util.batch_embed_distillation = distillation

    def forward(module: Any, inputs: tuple[Any, ...], output: Any) -> None:
        if is_variable(module, "KL_Loss"):
            recorder.draw("term/label_kd", output)
        elif is_variable(module, "netG") and inputs[0] is not variable("noise_gen"):
            recorder.draw("noise/unseen", inputs[0])

    torch.nn.modules.module.register_module_forward_hook(forward)


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of PJBQ/D3GZSL.
        size: 'small' or 'medium'.
        seed: of the simulated data and of the script.
        epochs: of training; None: those of the size.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    path = reference.find_script(checkout, SCRIPT, SOURCE)
    dimensions, chosen = SIZES[size]
    chosen = COMMON | chosen | ({} if epochs is None else {"g_epoch": epochs})
    raw = mat_files.simulate(dimensions, seed)
    recorder = WGANRecorder(raw, chosen["hidden"])

    def prepare() -> None:
        reference.narrow({WRITTEN_WIDTH: chosen["hidden"]})
        set_script_options(script_options(dimensions, chosen, seed))
        watch(recorder)

    reference.run_script(path, [], lambda folder: mat_files.write(folder / "data", raw), prepare, OTHER_OPTION_FILES)
    return recorder.arrays
