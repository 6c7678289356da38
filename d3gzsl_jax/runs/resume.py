"""Whether a run folder can be continued with this configuration and this data."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from d3gzsl_jax.config import saved_config, schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.benchmark import GZSLData, sha256_of
from d3gzsl_jax.data.semantics import normalize_semantics
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import json_files
from d3gzsl_jax.runs.contents import FIRST_STAGE
from d3gzsl_jax.runs.file_schemas import WholeResults
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.text import LONGEST_VALUE, one_line, shortened

FOLDS_ONLY = "folds only"  # 'selection' of results that are of validation alone: the run can go on from there to the test rows


def digest(data: GZSLData) -> str:
    """SHA-256 of everything of the data that a run depends on: equal content gives equal digests, wherever it came from."""
    further = () if data.representations is None else (data.representations,)
    return sha256_of(data.features, data.labels, data.semantics, data.trainval, data.test_seen, data.test_unseen, *further)


def is_data_of(data_digest: str, data: GZSLData, normalizes: bool) -> bool:
    """Whether data has this digest, also before its semantics were brought to length 1, as `embed` returns it. `normalizes`:
    config.data.normalize_semantics."""
    if digest(data) == data_digest:
        return True
    return normalizes and digest(dataclasses.replace(data, semantics=normalize_semantics(data))) == data_digest


def check(folder: RunFolder, config: Mapping[str, Any], data_digest: str, has_checkpoint: bool) -> None:
    """Refuses to start in a folder that holds a run which is not this one, or that config.train.resume forbids or asks for.

    Args:
        folder: the run folder.
        config: resolved, nested.
        data_digest: of the data at hand.
        has_checkpoint: whether the folder holds a whole checkpoint.

    Raises:
        UserError: naming the field that differs, or the option; or a file is damaged.
    """
    resume, where = config["train"]["resume"], f"--workdir={folder.path}"
    results = folder.read("results.json")
    stage = _has_first_stage(folder)
    before = stage or any((folder.path / "validation").glob("fold-*"))  # of a run that has come no further yet
    is_done = results is not None and is_finished(results, config)
    if resume == "must" and not (has_checkpoint or before or is_done):
        raise UserError(f"{where}: holds no checkpoint, and config.train.resume=must; with auto a run starts where it cannot go on")
    if resume == "never" and (results is not None or has_checkpoint or before):
        raise UserError(f"{where}: holds an earlier run, and config.train.resume=never; name another folder, or remove it")
    if results is None and not (has_checkpoint or stage):
        return
    if folder.read("config.json") is None or (results is not None and results.get("epochs") is None):
        raise UserError(f"{where}: holds results or checkpoints of no run of this program; name another folder")
    if difference := why_another(folder, config, data_digest):
        raise UserError(f"{where}: {difference}")
    if results is None or has_checkpoint or results.get("selection") == FOLDS_ONLY or is_done:
        return
    if results.get("concluded") is not False:  # what was not is made anew, as the whole run would have made it
        raise UserError(f"{where}: holds the results of a run without a checkpoint to go on from; name another folder")


def _has_first_stage(folder: RunFolder) -> bool:
    """Whether what is trained before the run has got as far as a checkpoint."""
    return any(path.name.isdigit() for path in (folder.path / FIRST_STAGE / "checkpoints").glob("*"))


def is_finished(results: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Whether results.json is of a run that went to the end, for as many epochs as are asked for now."""
    if results.get("selection") == FOLDS_ONLY and config["eval"]["retrain"]:
        return False
    if results.get("interrupted") or results.get("concluded") is False:
        return False
    return ((results.get("config") or {}).get("train") or {}).get("epochs") == config["train"]["epochs"]


def finished(folder: RunFolder, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The results of the run in `folder` if it went to the end, see `is_finished`; None if not.

    Raises:
        UserError: they are damaged, or lack what a finished run's hold.
    """
    found, path = folder.read("results.json"), folder.path / "results.json"
    if found is None or not is_finished(found, config):
        return None
    json_files.checked(found, WholeResults, path)
    if found["prediction"] not in found["predictions"]:
        raise UserError(f"{path}: damaged (predictions lacks {shortened(found['prediction'])}, the result's); name another folder")
    return found


def check_epochs(folder: RunFolder, reached: int, wanted: int, per_epoch: int) -> None:
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
    kept = folder.read("config.json")
    before = saved_config.nested(kept, folder.path / "config.json") if kept is not None else {}
    if length := another_length(before, config):
        return length
    known = ((folder.read("environment.json") or {}).get("data") or {}).get("sha256")
    other_data = "holds a run on other data (what is under config.data.root has changed); name another folder"
    if found := disagreement(before, plain(dict(config))):
        field, old, new = found
        if known not in (None, data_digest) and not field.startswith("data."):  # sizes may follow from the data
            return other_data
        given = one_line(str(old))
        go_on = f", or give --config.{field}={given} to go on with that run" if len(given) <= LONGEST_VALUE else ""
        return f"holds a run with config.{one_line(field)}={shortened(old)}, now it is {shortened(new)}; name another folder{go_on}"
    if known is None:
        return "its environment.json does not say on which data the run is; restore that file, or name another folder"
    return other_data if known != data_digest else None


def another_length(before: Mapping[str, Any], now: Mapping[str, Any], elsewhere: str = "name another folder") -> str | None:
    """What to say where epochs are parts of a budget of outer steps, and those of the run in the folder are of another length; a
    run that is trained on has more of them. None where they are the same. `elsewhere`: what to do to train apart from it."""
    parts = [(train.get("outer_steps", 0), train.get("epochs", 1)) for train in (before.get("train") or {}, now["train"])]
    (old, old_epochs), (new, new_epochs) = parts
    if old * new_epochs == new * old_epochs:
        return None
    told = f"config.train.outer_steps={old} in {old_epochs} epochs, now it is {new} in {new_epochs}"
    return f"holds a run with {told}; to train it on raise both in the same ratio, or {elsewhere}"


def disagreement(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first field that may not differ and does, as (field, before, now); the schema says which may. Where a first stage is as
    long as its run, its length is compared: a run that is trained on keeps the stage it has, and would not be the longer run."""
    old, new = (_with_length_of_stage(dict(flat(of))) for of in (before, now))
    framework = new.get("framework", "")
    for field in sorted(old.keys() | new.keys()):
        if old.get(field) != new.get(field) and not schema.may_change(field, framework):
            return field, old.get(field), new.get(field)
    return None


def _with_length_of_stage(fields: dict[str, Any]) -> dict[str, Any]:
    """Flat fields with the number that 0 epochs of a first stage stand for."""
    name = f"{fields.get('framework')}.representation_epochs"
    return fields | {name: fields.get("train.epochs")} if fields.get(name) == 0 else fields
