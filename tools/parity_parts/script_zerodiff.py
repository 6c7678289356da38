"""The public ZeroDiff scripts (FouriYe/ZeroDiff_ICLR25), which do not run as they are: their options, and what is changed in them.

There is a script a stage: 'drg' learns to generate representations, then 'dfg' to generate features. They are run from a changed
copy in a temporary folder; the checkout stays as it is.
"""

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from d3gzsl_jax.errors import UserError
from tools.parity_parts import script_tfvaegan
from tools.parity_parts.reference_script import find_script, import_torch, run_script
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE = "FouriYe/ZeroDiff_ICLR25"
SCRIPTS = {"drg": "zerodiff_DRG_train.py", "dfg": "zerodiff_DFG_train.py"}
"""By stage, in order."""
MODELS = {"drg": "zerodiff_drg", "dfg": "zerodiff"}
"""By stage, the script's variable that has its networks and optimisers."""
# scripts/run_awa2_zerodiff_DFG_train.py, sizes apart.
AWA2 = {
    "manualSeed": 9182, "nepoch": 300, "ngh": 4096, "ndh": 4096, "lambda1": 10, "critic_iter": 5, "batch_size": 64, "lr": 5e-4,
    "classifier_lr": 1e-3, "gamma_recons": 1.0, "freeze_dec": True, "dec_lr": 1e-4, "gamma_ADV": 10, "gamma_VAE": 1.0,
    "embed_type": "VA", "n_T": 4, "gamma_x0": 1.0, "gamma_xt": 1.0, "syn_num": 5400, "gamma_dist": 5.0, "factor_dist": 1.5,
    "class_embedding_norm": True, "encoded_noise": True,
}  # fmt: skip
CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "config_zerodiff.py": (("[8192, 4096]", "[8192, {hidden}]"), ("[4096, 8192]", "[{hidden}, 8192]")),
    "zerodiff_tools.py": (("TimeEmbedFC(2048,", "TimeEmbedFC({features},"),),
    SCRIPTS["drg"]: (("2048", "{features}"), ("device='cuda'", "device='cpu'"), (".copy()", ".clone()")),
    SCRIPTS["dfg"]: (
        ("2048", "{features}"), ("dec_hidden_size=4096", "dec_hidden_size={hidden}"), ("device='cuda'", "device='cpu'"),
        ("ZERODIFF.interval_recorder_sum", "zerodiff.interval_recorder_sum"), (".to(x_t.device)", ".to(x_tp1.device)"),
        ("['state_dict_G_con']", "['state_dict_R']"),
    ),
    "datasets/image_util.py": (),
    "classifiers/classifier_images.py": (),
}  # fmt: skip
"""By file, what is replaced wherever it stands: widths that are written out, CUDA, a method that tensors do not have, the class
where the object is meant, a variable that is not set yet, and the name of the first stage's parameters, stored under another."""


def changed(text: str, changes: tuple[tuple[str, str], ...], values: dict[str, int]) -> str:
    """`text` with every pattern replaced.

    Raises:
        UserError: a pattern is not there.
    """
    for pattern, replacement in changes:
        if pattern not in text:
            raise UserError(f"holds no {pattern!r}; it is not the version this tool knows")
        text = text.replace(pattern, replacement.format(**values))
    return text


def copy_changed(checkout: Path, folder: Path, features: int, hidden: int) -> None:
    """The files of CHANGES from a checkout, changed, for features and representations and for hidden layers of these widths.

    Raises:
        UserError: a file, or a pattern in it, is missing.
    """
    for name, changes in CHANGES.items():
        source = find_script(checkout, name, SOURCE)
        try:
            text = changed(source.read_text(encoding="utf-8"), changes, {"features": features, "hidden": hidden})
        except UserError as error:
            raise UserError(f"{source}: {error}") from None
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def simulate(size: MatSize, seed: int, dtype: type = np.float64) -> dict[str, np.ndarray]:
    """A simulated benchmark with what the scripts read besides: features of a fine-tuned network and representations, a row a
    sample, each unlike the features of the other file, and semantics unlike `att`."""
    raw = mat_files.simulate(size, seed, dtype)
    rows = raw["features"].T
    return raw | {"original_att": 3.0 * raw["att"] + 5.0, "ce_ce": np.sqrt(rows), "con_paco": (rows / (1 + rows))[:, ::-1]}


def write(folder: Path, raw: dict[str, np.ndarray]) -> None:
    """Writes the files, and makes the folder of the scripts' log."""
    own = ("ce_ce", "con_paco")
    names = np.array([f"class {number}" for number in range(raw["att"].shape[1])], object)[:, None]
    shared = {name: array for name, array in raw.items() if name not in own}
    data = folder / "data" / "simulated"
    mat_files.write(data, shared | {"allclasses_names": names})
    for name in own:
        scipy.io.savemat(data / f"{name}.mat", {"features": raw[name]})
    (folder / "log" / "simulated").mkdir(parents=True)


def command_line(size: MatSize, chosen: dict[str, Any]) -> list[str]:
    """The options of either script for a benchmark of this size; latents are as wide as 'noiseSize' says, or as semantics."""
    words = script_tfvaegan.command_line(size, chosen)
    for unknown in ("--nz", "--latent_size"):
        at = words.index(unknown)
        del words[at : at + 2]
    own = {"dim_t": size.semantics, "netR_model_path": "first_stage"}
    if "noiseSize" not in chosen:
        own["noiseSize"] = size.semantics
    return words + [word for name, value in own.items() for word in (f"--{name}", str(value))]


def run(
    checkout: Path, stage: str, size: MatSize, chosen: dict[str, Any], write_data: Callable[[Path], None],
    watch: Callable[[], None], first_stage: dict[str, np.ndarray] | None = None,
) -> dict[str, np.ndarray]:
    """Runs the script of a stage on simulated data; what it saved last of the first stage's generator, {} of the second stage.

    Args:
        checkout: of FouriYe/ZeroDiff_ICLR25.
        stage: of SCRIPTS.
        size: of the data.
        chosen: values of its options, 'ngh' among them.
        write_data: writes its files into a new folder, as `write`.
        watch: called when the script's modules can be imported, as `prepare` of `run_script`.
        first_stage: parameters of the first stage's generator, for the second; None: fresh ones.

    Raises:
        UserError: no such checkout, or its scripts are not those this knows.
    """
    saved: dict[str, np.ndarray] = {}

    def save(what: dict[str, Any], name: str) -> None:
        if name.endswith("_gzsl.tar") and "state_dict_R" in what:
            saved.update({key: value.numpy().copy() for key, value in what["state_dict_R"].items()})

    def load(_: str) -> dict[str, Any]:
        if first_stage is None:
            tools, options = importlib.import_module("zerodiff_tools"), importlib.import_module("config_zerodiff").opt
            return {"state_dict_R": tools.DRG_Generator(options).state_dict()}
        return {"state_dict_R": {key: torch.from_numpy(value) for key, value in first_stage.items()}}

    def prepare() -> None:
        torch.save, torch.load = save, load
        watch()

    with tempfile.TemporaryDirectory() as folder:
        copy_changed(checkout, Path(folder), size.features, chosen["ngh"])
        torch = import_torch()  # what is wrong with the checkout is told where there is none, too
        try:
            run_script(Path(folder) / SCRIPTS[stage], command_line(size, chosen), write_data, prepare)
        except UserError as error:
            raise UserError(str(error).replace(folder, str(checkout))) from None
    return saved
