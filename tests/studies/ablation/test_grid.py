import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.formats.open_npz import write_npz
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.ablation import grid, study
from d3gzsl_jax.studies.ablation.presets import FILE_PRESETS, PRESETS
from tests import small
from tests.conftest import ROOT

DIGITS = str(ROOT / "configs" / "digits.py")


@pytest.mark.parametrize("preset", [*FILE_PRESETS, *PRESETS])
def test_cells_of_presets_are_configurations_that_make_sense(preset):
    cells = grid.cells_of([DIGITS], preset, [], {}, [], False)
    names = [cell.name for cell in cells]
    assert len(set(names)) == len(names) >= 3 and all(cell.against in names for cell in cells)
    assert cells[0].against == cells[0].name and not any(cell.against == cell.name for cell in cells[1:])
    assert all(cell.config.classifier.fit != "never" and cell.config.data.pipeline == "device" for cell in cells)
    resolved = [json.dumps(cell.config.to_dict(), sort_keys=True) for cell in cells]
    assert len(set(resolved)) == len(resolved), "two cells are the same"
    if any(name.startswith("full, ") for name in names):  # D3 with and without at every level, and compared there
        for cell in cells:
            assert check.has_distillation(cell.config) == cell.name.startswith("full, ")
            if cell.name.startswith("full, "):
                assert cell.against == cell.name.replace("full", "base")


def test_the_papers_question_is_asked_of_every_framework_of_the_file():
    cells = grid.named_cells([DIGITS], "paper", [], {"train.epochs": 3}, False, "base, cegzsl, full, cegzsl")
    assert [(cell.name, cell.against, cell.config.framework) for cell in cells] == [
        ("base, cegzsl", "", "cegzsl"), ("full, cegzsl", "base, cegzsl", "cegzsl"),
    ]  # fmt: skip
    own = load_config(f"{DIGITS}:cegzsl")
    assert cells[1].config.train.learning_rate == own.train.learning_rate and cells[1].config.train.epochs == 3
    assert cells[1].config.cegzsl.to_dict() == own.cegzsl.to_dict()
    with pytest.raises(UserError, match="name the file alone"):
        grid.named_cells([f"{DIGITS}:cegzsl"], "paper", [], {}, False)


def test_a_file_without_frameworks_cannot_be_asked(tmp_path):
    (tmp_path / "own.py").write_text("from configs.digits import get_config\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no FRAMEWORKS"):
        grid.named_cells([str(tmp_path / "own.py")], "paper", [], {}, False)


def test_components_have_the_weights_of_the_configuration():
    cells = grid.cells_of([DIGITS], "components", [], {"distillation.weight_kl": 0.5}, [], False)
    on = {
        cell.name: {term: cell.config.distillation[f"weight_{term}"] for term in ("cls", "od", "be", "kl")} for cell in cells
    }
    own = load_config(DIGITS, {"distillation.weight_kl": 0.5}).distillation
    assert on["base"] == dict.fromkeys(("cls", "od", "be", "kl"), 0.0)
    assert on["full"] == {"cls": own.weight_cls, "od": own.weight_od, "be": own.weight_be, "kl": 0.5}
    for name in ("cls", "cls+od", "cls+be", "cls+kl", "cls+be+kl"):
        assert {term for term, weight in on[name].items() if weight > 0} == set(name.split("+"))
    with pytest.raises(UserError, match=r"config\.distillation\.weight_cls=0: .* give a configuration with D3"):
        grid.cells_of([f"{DIGITS}:base"], "components", [], {}, [], False)


def test_the_grid_is_every_file_with_every_combination():
    vary = ["distillation.temperature=1,2", "distillation.variant=released,described"]
    cells = grid.cells_of([DIGITS, f"{DIGITS}:base"], "", vary, {"train.epochs": 3}, ["eszsl"], False)
    assert len(cells) == 2 * 4 + 1
    assert cells[0].name == "digits, distillation.temperature=1, distillation.variant=released"
    assert {cell.against for cell in cells} == {cells[0].name} and all(cell.config.train.epochs == 3 for cell in cells)
    assert cells[3].config.distillation.temperature == 2.0 and cells[3].config.distillation.variant == "described"
    assert [cell.folder for cell in cells if cell.baseline] == ["baseline-eszsl"]  # the data of both files is the same
    jobs = study.jobs_of(cells, 2, Path("out"), False)
    assert [job.seed for job in jobs] == [0] * 9 + [1] * 9
    assert jobs[12].folder == "out/digits-distillation.temperature=2-distillation.variant=described/seed-1"
    assert jobs[12].config["seed"] == 1


def test_presets_and_values_are_combined_and_compared_at_the_same_values():
    cells = grid.cells_of([DIGITS], "framework", ["precision=float32,bfloat16"], {}, [], False)
    against = {cell.name: cell.against for cell in cells}
    assert against["full, cegzsl, precision=bfloat16"] == "base, cegzsl, precision=bfloat16"
    assert against["base, cegzsl, precision=bfloat16"] == "base, wgan, precision=bfloat16"


def test_cells_of_a_preset_are_compared_at_the_same_file_and_values():
    """D3's terms are worth what they are beside the base of their own file and setting."""
    files = [DIGITS, f"{DIGITS}:cegzsl"]
    for preset, first in (("components", "base"), ("synthesis", "as configured"), ("weights", "base"), ("logit_adjustment", "tau=0")):
        for cell in grid.cells_of(files, preset, ["train.n_critic=1,2"], {}, [], False):
            file, values = cell.name.split(", ")[0], cell.name.split(", ")[-1]
            assert cell.against.startswith(f"{file}, {first}") and cell.against.endswith(f", {values}"), cell
    found = compared(grid.cells_of(files, "imbalance", [], {}, [], False))
    assert found["digits:cegzsl, base, imbalance 10"] == "digits:cegzsl, base, imbalance 1"
    assert found["digits:cegzsl, full, imbalance 10"] == "digits:cegzsl, base, imbalance 10"
    # Without a preset there is one that all are compared with.
    assert set(compared(grid.cells_of(files, "", [], {}, [], False)).values()) == {"digits"}


def test_there_is_a_baseline_for_every_scaling_compared_there():
    found = compared(grid.cells_of([DIGITS], "", ["data.scaling=minmax,standard"], {"networks.output": "linear"}, ["eszsl"], False))
    for scaling in ("minmax", "standard"):
        assert found[f"eszsl, data.scaling={scaling}"] == f"data.scaling={scaling}"


def test_h_with_gamma_and_without_do_not_stand_in_one_table():
    validated = {"eval.selection": "validation"}
    with pytest.raises(UserError, match=r"config.eval.calibration differs between cells: none \(.*\), folds \(.*\); one table has H with gamma or"):
        grid.named_cells([DIGITS], "", ["eval.calibration=none,folds"], validated, False)
    assert len(grid.named_cells([DIGITS], "components", [], validated | {"eval.calibration": "folds"}, False)) == 7


def test_a_cell_without_the_one_it_is_compared_with_is_told():
    cells = grid.cells_of([DIGITS], "imbalance", [], {}, [], False, "base, imbalance 1,full, imbalance 1,full, imbalance 10")
    assert grid.uncompared(cells) == ["full, imbalance 10 (with base, imbalance 10)"]
    for only in ("", "full, imbalance 1,base, imbalance 1"):
        assert not grid.uncompared(grid.cells_of([DIGITS], "imbalance", [], {}, ["eszsl"], False, only))


def test_folds_that_a_baseline_could_not_be_chosen_on_are_told_before_anything_is_trained(tmp_path):
    data = small.simulated(unseen_rows=True)
    single = dataclasses.replace(data, trainval=data.trainval[np.searchsorted(data.labels[data.trainval], data.seen_classes)])
    write_npz(tmp_path / "single.npz", single)
    fixed = {"data.source": "npz", "data.root": str(tmp_path / "single.npz"), "train.batch_size": 4}
    assert grid.cells_of([DIGITS], "", [], fixed, [], False)
    with pytest.raises(UserError, match=r"cell 'digits': baselines are chosen by H on folds: too few trainval rows"):
        grid.cells_of([DIGITS], "", [], fixed, ["eszsl"], False)


def test_what_figures_are_of_is_known_before_anything_is_trained(tmp_path):
    """Without test rows of unseen classes baselines have figures of folds, and so have runs that are chosen on some."""
    for name, there in (("with", True), ("without", False)):
        write_npz(tmp_path / f"{name}.npz", small.simulated(unseen_rows=there))
    fixed = {"data.source": "npz", "data.root": str(tmp_path / "without.npz")}
    assert grid.cells_of([DIGITS], "", [], fixed, [], False)
    assert grid.cells_of([DIGITS], "", [], fixed | {"eval.selection": "validation"}, ["eszsl"], False)
    with pytest.raises(UserError, match=r"--baselines: without test rows .* config.eval.selection=last runs have none of folds; --set eval.selection"):
        grid.cells_of([DIGITS], "", [], fixed, ["eszsl"], False)
    vary = [f"data.root={tmp_path}/with.npz,{tmp_path}/without.npz"]
    with pytest.raises(UserError, match=r"what figures are of .* differs between cells: validation \(.*\), folds only \(.*\); without test rows"):
        grid.cells_of([DIGITS], "", vary, fixed | {"eval.selection": "validation"}, [], False)


def test_what_the_data_is_to_choose_is_chosen_as_a_run_records_it():
    open_fields = {"networks.embedding": 0, "train.batch_size": 0, "eval.folds": 0, "data.scaling": "auto", "networks.output": "auto"}
    for cell in grid.cells_of([DIGITS], "", ["networks.noise=8,16"], open_fields, ["eszsl"], False):
        config = cell.config
        assert (config.networks.embedding, config.train.batch_size, config.eval.folds) == (64, 64, 4)
        assert (config.data.scaling, config.networks.output) == ("minmax", "published") and cell.digests


def compared(cells):
    return {cell.name: cell.against for cell in cells}


def test_there_is_a_baseline_for_every_level_of_the_data_compared_there():
    cells = grid.cells_of([DIGITS], "imbalance", [], {}, ["eszsl", "regressor"], False)
    found = compared(cells)
    assert [cell.name for cell in cells if cell.baseline] == [
        f"{baseline}, imbalance {level}" for level in (1, 10, 100) for baseline in ("eszsl", "regressor")
    ]
    for cell in cells:
        level = cell.name.partition(", ")[2]
        if cell.baseline or cell.name.startswith("full"):
            assert found[cell.name] == f"base, {level}"
        if cell.baseline:
            assert cell.config.data.stress.imbalance == float(level.partition(" ")[2])
    assert found["base, imbalance 100"] == "base, imbalance 1"  # the data differs by declared stress alone


def test_cells_on_other_data_are_compared_with_the_first_there():
    vary = ["data.normalize_semantics=False,True", "distillation.temperature=1,2"]
    cells = grid.cells_of([DIGITS], "", vary, {}, ["eszsl"], False)
    no, yes = (f"data.normalize_semantics={value}" for value in (False, True))
    assert compared(cells) == {
        f"{no}, distillation.temperature=1": f"{no}, distillation.temperature=1",
        f"{no}, distillation.temperature=2": f"{no}, distillation.temperature=1",
        f"{yes}, distillation.temperature=1": f"{yes}, distillation.temperature=1",
        f"{yes}, distillation.temperature=2": f"{yes}, distillation.temperature=1",
        f"eszsl, {no}": f"{no}, distillation.temperature=1",
        f"eszsl, {yes}": f"{yes}, distillation.temperature=1",
    }
    digests = {cell.name: cell.digests for cell in cells}
    assert digests[f"eszsl, {yes}"] == digests[f"{yes}, distillation.temperature=2"] != digests[f"eszsl, {no}"]


def test_a_baseline_is_made_for_every_way_to_fold_the_data():
    cells = grid.cells_of([DIGITS], "", ["eval.fold_seed=0,1"], {"eval.selection": "validation"}, ["eszsl"], False)
    assert [cell.name for cell in cells if cell.baseline] == ["eszsl, eval.fold_seed=0", "eszsl, eval.fold_seed=1"]
    # The test rows are the same.
    assert compared(cells)["eval.fold_seed=1"] == "eval.fold_seed=0"
    folds_only = {"eval.selection": "validation", "eval.retrain": False}
    cells = grid.cells_of([DIGITS], "", ["eval.fold_seed=0,1"], folds_only, [], False)
    assert compared(cells)["eval.fold_seed=1"] == "eval.fold_seed=1"


def test_a_text_of_the_data_may_look_like_a_number():
    cells = grid.cells_of([DIGITS], "", ["data.leave_out=2,3"], {}, [], False)
    assert [cell.config.data.leave_out for cell in cells] == ["2", "3"] and cells[1].against == cells[1].name


def test_cells_are_chosen_by_names_that_hold_commas():
    names = ["base, imbalance 1", "full, imbalance 1", "base", "cls+od"]
    assert grid.only_of("full, imbalance 1,base", names) == {"full, imbalance 1", "base"}
    assert grid.only_of(" base,imbalance 1 , base ,", names) == {"base, imbalance 1", "base"}
    with pytest.raises(UserError, match="no cell of the preset is called 'full'; it has 'base, imbalance 1', 'full, imbalance 1'"):
        grid.only_of("base,full, imbalance 2", names)
    only = "full, imbalance 10,base, imbalance 10"
    cells = grid.cells_of([DIGITS], "imbalance", [], {}, [], False, only)
    assert compared(cells) == dict.fromkeys(["base, imbalance 10", "full, imbalance 10"], "base, imbalance 10")
    cells = grid.cells_of([DIGITS], "components", [], {}, [], False, "full,base")
    assert compared(cells) == {"base": "base", "full": "base"}
