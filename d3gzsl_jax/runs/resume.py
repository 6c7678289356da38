"""Whether a run folder can be continued with this configuration and this data."""

from collections.abc import Mapping
from typing import Any

from d3gzsl_jax.config_file import flat
from d3gzsl_jax.data.gzsl_data import GZSLData, sha256_of
from d3gzsl_jax.earlier_versions import OF_FOLDS, completed
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.folder import RunFolder, plain

RESUME = ("never", "auto", "must")
FOLDS_ONLY = "folds only"  # 'selection' of results that are of validation alone: the run can go on from there to the test rows
# What may differ between the starts of a run: where the data lies (its content is compared), how long to train, and what leaves
# every bit as it is.
FREE = (
    "data.root", "data.manual_dir", "data.unseen_classes", "train.epochs", "train.resume", "train.steps_per_call", "checkpoint.",
    "parallel.", "guards.", "log.", "eval.retrain",
)  # fmt: skip


def digest(data: GZSLData) -> str:
    """SHA-256 of everything of the data that a run depends on: equal content gives equal digests, wherever it came from."""
    return sha256_of(data.features, data.labels, data.semantics, data.trainval, data.test_seen, data.test_unseen)


def check(folder: RunFolder, config: Mapping[str, Any], data_digest: str, has_checkpoint: bool) -> None:
    """Refuses to start in a folder that holds a run which is not this one, or that config.train.resume forbids or asks for.

    Args:
        folder: the run folder.
        config: resolved, nested.
        data_digest: of the data at hand.
        has_checkpoint: whether the folder holds a whole checkpoint.

    Raises:
        UserError: naming the field that differs, or the option.
    """
    resume, where = config["train"]["resume"], f"--workdir={folder.path}"
    results = folder.read("results.json")
    if resume == "must" and not has_checkpoint:
        raise UserError(f"{where}: holds no checkpoint, and config.train.resume=must; with auto a run starts where it cannot go on")
    if results is None and not has_checkpoint:
        return
    if resume == "never":
        raise UserError(f"{where}: holds an earlier run, and config.train.resume=never; name another folder, or remove it")
    if folder.read("config.json") is None or (results is not None and "epochs" not in results):
        raise UserError(f"{where}: holds results or checkpoints of no run of this program; name another folder")
    if difference := why_another(folder, config, data_digest):
        raise UserError(f"{where}: {difference}")
    if results is None or has_checkpoint or results.get("selection") == FOLDS_ONLY or is_finished(results, config):
        return
    if results.get("concluded", True):  # what was not is made anew, as the whole run would have made it
        raise UserError(f"{where}: holds the results of a run without a checkpoint to go on from; name another folder")


def is_finished(results: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether results.json is of a run that went to the end, for as many epochs as are asked for now."""
    if results.get("selection") == FOLDS_ONLY and config["eval"]["retrain"]:
        return False
    if results.get("interrupted") or not results.get("concluded", True):  # which earlier versions did not say
        return False
    return results["config"]["train"]["epochs"] == config["train"]["epochs"]


def check_length(folder: RunFolder, reached: int, wanted: int, per_epoch: int) -> None:
    """Refuses to train a run for fewer outer steps than it has behind it.

    Raises:
        UserError: with both numbers of epochs.
    """
    if reached > wanted:
        raise UserError(
            f"--workdir={folder.path}: holds a run that has done {reached / per_epoch:g} epochs, and config.train.epochs="
            f"{wanted // per_epoch}; give as many or more, or name another folder"
        )


def why_another(folder: RunFolder, config: Mapping[str, Any], data_digest: str) -> str | None:
    """Why what the folder holds is not a beginning of this run, for a message; None if it is."""
    if found := disagreement(folder.read("config.json") or {}, plain(dict(config))):
        field, old, new = found
        return (
            f"holds a run with config.{field}={old!r}, now it is {new!r}; name another folder, or give --config.{field}={old} to "
            "go on with that run"
        )
    if (folder.read("environment.json") or {}).get("data", {}).get("sha256") != data_digest:
        return "holds a run on other data (what is under config.data.root has changed); name another folder"
    return None


def disagreement(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first field that may not differ and does, as (field, before, now); what an earlier version did not know yet does not."""
    known, old, new = (dict(flat(config)) for config in (before, completed(before), completed(now)))
    free = (*FREE, *(field for field in OF_FOLDS if field not in known))
    for field in sorted(old.keys() | new.keys()):
        if old.get(field) != new.get(field) and not field.startswith(free):
            return field, old.get(field), new.get(field)
    return None
