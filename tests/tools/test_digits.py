"""How the digits' settings and the new digit are made: what is refused before anything is trained."""

import pytest

from d3gzsl_jax.errors import UserError
from tools.digits import new_digit, settings


def test_candidates_are_every_combination():
    found = settings.candidates(["train.epochs=5,6", "networks.noise=16"])
    assert found == [{"train.epochs": "5", "networks.noise": "16"}, {"train.epochs": "6", "networks.noise": "16"}]
    config = settings.settings(found[1], 3)
    assert (config.train.epochs, config.eval.every_epochs, config.networks.noise, config.seed) == (6, 6, 16, 3)


@pytest.mark.parametrize(
    ("options", "told"),
    [(["--vary=train.epochs"], r"^--vary train\.epochs: must be FIELD=V1,V2"), (["--vary==5"], "must be FIELD=V1,V2"),
     (["--vary=train.epoch=5"], "did you mean config.train.epochs"), (["--vary=train.epochs=5,0"], "config.train.epochs=0: must be at least 1"),
     (["--vary=train.epochs=5", "--vary=train.epochs=6"], "is varied already"), (["--vary=train.epochs=5", "--seeds=0"], "--seeds: expected a whole number"),
     (["--vary=seed=1,2"], "leave it out")],
)  # fmt: skip
def test_what_is_no_candidate_is_refused(monkeypatch, options, told):
    monkeypatch.setattr("sys.argv", ["settings.py", *options])
    monkeypatch.setattr(settings, "train_on", lambda *given: 1 / 0)
    with pytest.raises(UserError, match=told):
        settings.main()


@pytest.mark.parametrize(("options", "told"), [([], "give --write=FOLDER, --seeds=N, or both"), (["--seeds=0"], "1 or more"), (["--seeds=-1"], "1 or more")])
def test_a_new_digit_without_anything_to_do_is_refused(options, told):
    with pytest.raises(UserError, match=told):
        new_digit.main(options)


def test_the_files_of_a_digit_are_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(new_digit, "configure", lambda: None)
    assert new_digit.main(["--digit=9", f"--write={tmp_path / 'nine'}"]) == 0
    assert {path.name for path in (tmp_path / "nine").iterdir()} == {"9.csv", "9.npy"} and "180 images" in capsys.readouterr().out
