"""The real entry point: runs as processes of their own, refusals in this one."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from d3gzsl_jax import main as entry
from d3gzsl_jax.commands import COMMANDS
from d3gzsl_jax.config import command_line, schema
from d3gzsl_jax.data.formats.feature_files import FORMATS
from tests import small
from tests.conftest import ROOT

QUICK = ["--config.train.epochs=2", "--config.eval.every_epochs=1", "--config.teacher.epochs=3"]
PLAIN = [*QUICK, "--config.log.report=False"]  # where the report is not looked at: drawing it takes as long as training


def command(*arguments):
    return [sys.executable, "-m", "d3gzsl_jax.main", *map(str, arguments)]


def main(*arguments, cwd=ROOT, env=None):
    return subprocess.run(command(*arguments), cwd=cwd, capture_output=True, text=True, timeout=300, env=os.environ | (env or {}))


@pytest.fixture
def here(monkeypatch, capsys):
    """`main` in this process, where what is asked for does not depend on it."""

    def run(*arguments, cwd=ROOT):
        monkeypatch.chdir(cwd)
        capsys.readouterr()
        code = entry.main([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return run


def results(folder):
    return json.loads((folder / "results.json").read_text())


def log(folder):
    """The lines of metrics.jsonl without what a clock puts in."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "clock"} for line in lines]


def deterministic(found):
    """Results without what a clock or a folder name puts in."""
    return {key: value for key, value in found.items() if key not in ("seconds",)}


@pytest.mark.slow
def test_digits_from_start_to_results(tmp_path):
    run = main("--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", *QUICK)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    found = results(tmp_path / "run")
    assert {"dataset", "framework", "features", "semantics", "seed", "epochs", "selection", "metrics"} <= set(found)
    assert (found["dataset"], found["framework"], found["epochs"], found["selection"]) == ("digits", "wgan", 2, "last")
    u, s, h = (found["metrics"][key] for key in ("unseen", "seen", "harmonic"))
    assert all(0 <= value <= 1 for value in found["metrics"].values())
    assert h == pytest.approx(2 * u * s / (u + s) if u + s else 0.0)
    assert found["test_selected"]["selection"] == "test" and found["test_selected"]["metrics"]["harmonic"] >= h
    assert len(found["per_class"]) == 10 and 0 <= found["teacher"]["auroc"] <= 1
    assert np.mean([found["per_class"][f"{c} {c}"] for c in (3, 6, 9)]) == pytest.approx(u)
    assert found["provenance"]["versions"]["jax"] and found["provenance"]["device"]["platform"] == "cpu"
    assert found["config"]["train"]["epochs"] == 2
    assert "test-selected" in run.stdout and re.search(r"epoch 2/2  student     U [\d.]+  S [\d.]+  H [\d.]+  T1", run.stdout)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 2] and lines[0]["losses"]["critic"]["gradient_penalty"] > 0
    assert not list((tmp_path / "run").glob("*.part"))


ZERO = [f"--config.distillation.weight_{term}=0" for term in ("cls", "od", "be", "kl")]
BY_NAME = {
    "d3": ["--config=configs/digits.py"], "base": ["--config=configs/digits.py:base", "--config.data.pipeline=device"],
    "zero": ["--config=configs/digits.py", *ZERO, "--config.eval.prediction=classifier", "--config.classifier.fit=every",
             "--config.data.pipeline=device"],
}  # fmt: skip


@pytest.fixture(scope="module")
def other_base(tmp_path_factory):
    """(`here`, framework, key of `BY_NAME`, further options) -> the folder of that run, for reading only."""
    folder, there = tmp_path_factory.mktemp("other-base"), {}

    def run(here, framework, name, *further):
        key = (framework, name, *further)
        if key not in there:
            there[key] = folder / str(len(there))
            options = [f"--config.framework={framework}", *PLAIN, "--config.classifier.epochs=3", *further]
            run = here(*BY_NAME[name], f"--workdir={there[key]}", *options)
            assert run.returncode == 0 and run.stderr == "", run.stderr
            assert ("teacher:" in run.stdout) == (name == "d3")
        return there[key]

    return run


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["fclswgan", "cegzsl"])
def test_other_base_methods_with_and_without_d3(here, other_base, framework):
    """With D3 both predictors are reported; `:base` is D3 with all weights 0, has no teacher and predicts by the classifier."""
    folders = {name: other_base(here, framework, name) for name in BY_NAME}
    d3, base, zero = map(results, folders.values())
    assert (d3["framework"], d3["distillation"], d3["prediction"]) == (framework, True, "student")
    assert set(d3["predictions"]) == {"student", "classifier"} and d3["predictions"]["student"]["metrics"] == d3["metrics"]
    assert d3["predictions"]["classifier"]["test_selected"] is None  # fitted once: nothing was selected
    assert (base["distillation"], base["prediction"], base["teacher"]) == (False, "classifier", None)
    assert set(base["predictions"]) == {"classifier"} and base["predictions"]["classifier"]["metrics"] == base["metrics"]
    assert base["test_selected"]["metrics"]["harmonic"] >= base["metrics"]["harmonic"]
    for found in (d3, base):
        for predictor in found["predictions"].values():
            u, s, h = (predictor["metrics"][key] for key in ("unseen", "seen", "harmonic"))
            assert h == pytest.approx(2 * u * s / (u + s) if u + s else 0.0)
    assert base["metrics"] == zero["metrics"]
    lines = [json.loads(line) for line in (folders["d3"] / "metrics.jsonl").read_text().splitlines()]
    assert [set(line["predictions"]) for line in lines] == [{"student"}, {"student"}, {"classifier"}]
    assert log(folders["base"]) == log(folders["zero"])  # losses to the last bit


@pytest.mark.tensorflow
@pytest.mark.slow
def test_every_pipeline_and_a_second_run_give_the_same_results(here, tmp_path):
    found = {}
    for name, mode in (("index", "index"), ("again", "index"), ("device", "device"), ("stream", "stream")):
        run = here("--config=configs/digits.py", f"--workdir={tmp_path / name}", *PLAIN, f"--config.data.pipeline={mode}",
                   "--config.train.steps_per_call=5")  # fmt: skip
        assert run.returncode == 0, run.stderr
        found[name] = deterministic(results(tmp_path / name))
    assert found["index"] == found["again"]
    assert found["index"]["metrics"] == found["device"]["metrics"]
    assert log(tmp_path / "index") == log(tmp_path / "device")
    assert found["stream"]["metrics"] == pytest.approx(found["index"]["metrics"], abs=0.02)


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(("framework", "name"), [("fclswgan", "d3"), ("cegzsl", "base")])
def test_other_base_methods_stream_too(here, other_base, framework, name):
    folders = other_base(here, framework, name), other_base(here, framework, name, "--config.data.pipeline=stream")
    in_memory, stream = (results(folder)["metrics"] for folder in folders)
    assert stream == pytest.approx(in_memory, abs=0.05)


@pytest.mark.slow
def test_the_first_command_imports_no_tensorflow(tmp_path):
    """It takes seconds to start. A module that cannot be imported, and says who tried, stands in for one that is not installed."""
    for name in ("tensorflow", "tensorflow_datasets", "keras"):
        tell = f"open({str(tmp_path / 'imported')!r}, 'a').write('{name} ')\n"
        (tmp_path / f"{name}.py").write_text(f"{tell}raise ImportError('not installed')")
    code = "import sys; from d3gzsl_jax import main; print(main.main(sys.argv[1:]), 'tensorflow' in sys.modules)"
    arguments = [sys.executable, "-c", code, "--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", *PLAIN]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    run = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment)
    assert run.stdout.splitlines()[-1:] == ["0 False"], run.stderr
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()


@pytest.mark.slow
def test_a_mat_folder_from_another_working_directory(here, mat_folder, tmp_path):
    run = here(
        f"--config={ROOT / 'configs' / 'cub.py'}", f"--config.data.root={mat_folder}", f"--workdir={tmp_path / 'run'}",
        "--config.networks.generator_hidden=8", "--config.networks.critic_hidden=8", "--config.networks.embedding=8",
        "--config.train.epochs=1", "--config.train.batch_size=8", "--config.teacher.batch_size=8", "--config.log.report=False",
        cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    found = results(tmp_path / "run")
    assert found["features"] == "res101.mat" and found["semantics"] == "att" and found["epochs"] == 1
    assert set(found["provenance"]["sha256"]) == {"res101.mat", "att_splits.mat"}


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--config=configs/digits.py"], ["--config=configs/digits.py:base", "--config.classifier.fit=last"]])
def test_control_c_ends_with_results(tmp_path, arguments):
    process = subprocess.Popen(
        command(*arguments, f"--workdir={tmp_path / 'run'}", *PLAIN, "--config.train.epochs=100000"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "metrics.jsonl").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "interrupted" in out
    found = results(tmp_path / "run")
    assert found["interrupted"] and 0 < found["epochs"] < 100000
    assert "classifier" in found["predictions"] and found["prediction"] in found["predictions"]


BAD = {
    "no config": ([], "--config is missing; try --config=configs/digits.py"),
    "config that does not exist": (["--config=configs/digit.py"], "no such file; did you mean configs/digits.py?"),
    "unknown flag": (["--config=configs/digits.py", "--wrkdir=x"], "unknown option --wrkdir; did you mean --workdir?"),
    "a field without its group": (["--config=configs/digits.py", "--epochs=3"], "unknown option --epochs; did you mean --config.train.epochs=3?"),
    "a field without config": (["--config=configs/digits.py", "--teacher.epochs", "3"], "unknown option --teacher.epochs; did you mean --config.teacher.epochs=VALUE?"),
    "a field without a configuration": (["train", "--config.train.epochs=3"], "--config is missing, whose fields --config.FIELD sets; try --config=configs/digits.py"),
    "nearly a field": (["train", "--learning-rat=3"], "unknown option --learning-rat; did you mean --config.train.learning_rate=3?"),
    "unknown command": (["trian"], "unknown command 'trian'; did you mean train?"),
    "a file for a command": (["configs/digits.py"], "unknown command 'configs/digits.py'; there are train, embed, evaluate"),
    "unknown field": (["--config=configs/digits.py", "--config.train.epoch=3"], "did you mean --config.train.epochs?"),
    "unknown group": (["--config=configs/digits.py", "--config.trian.epochs=3"], "did you mean --config.train.epochs?"),
    "word for a number": (["--config=configs/digits.py", "--config.train.epochs=many"], "d3gzsl train: config.train.epochs='many': must be a whole number, at least 1\n"),
    "no number": (["--config=configs/digits.py", "--config.train.epochs="], "config.train.epochs='': must be a whole number, at least 1\n"),
    "nan for a whole number": (["--config=configs/digits.py", "--config.train.epochs=nan"], "config.train.epochs='nan': must be a whole number"),
    "a word for a learning rate": (["--config=configs/digits.py", "--config.train.learning_rate=fast"], "config.train.learning_rate='fast': must be a number, more than 0\n"),
    "neither True nor False": (["--config=configs/digits.py", "--config.compile_cache=maybe"], "config.compile_cache='maybe': must be True or False\n"),
    "half a list": (["--config=configs/digits.py", "--config.seeds=(0,1"], "config.seeds='(0,1': must be a list of whole numbers, as in (0,1,2), or () for none\n"),
    "no field to negate": (["--config=configs/digits.py", "--noconfig.train.epochs"], "--noconfig.train.epochs: only a field that is True or False can be negated"),
    "a value for what is negated": (["--config=configs/digits.py", "--noconfig.log.report=1"], "--noconfig.log.report: takes no value; leave =1 out"),
    "a field without its value": (["--config=configs/digits.py", "--config.train.epochs"], "--config.train.epochs: the value is missing; give --config.train.epochs=VALUE"),
    "the second of two": (["--config=configs/digits.py", "--config.seed=3", "--config.train.epochs=x"], "d3gzsl train: config.train.epochs='x': must be"),
    "stray argument": (["--config=configs/digits.py", "train"], "unexpected argument 'train'"),
    "data not there": (["--config=configs/cub.py"], "https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip"),
    "batch too large": (["--config=configs/digits.py", "--config.train.batch_size=2000"], "larger than the 1003 trainval rows"),
    "unknown variant": (["--config=configs/digits.py:bse"], "d3gzsl train: --config=configs/digits.py:bse: unknown variant 'bse' after the colon, expected one of d3, base"),
    "a colon without a variant": (["--config=digits:"], "--config='digits:': nothing is after the colon; give one of d3, base, wgan, cegzsl, or leave the colon out"),
    "option of a base": (["--config=configs/digits.py", "--config.cegzsl.temperature=1"], "did you mean --config.cegzsl.temperature_class?"),
    "number as a float": (["--config=configs/digits.py", "--config.train.epochs=1e3"], "config.train.epochs='1e3': must be a whole number, at least 1\n"),
    "None for a number": (["--config=configs/digits.py", "--config.train.epochs=None"], "config.train.epochs='None': must be a whole number"),
    "number for a group": (["--config=configs/digits.py", "--config.train=5"], "config.train: is a group of fields; set each by itself, as in --config.train.batch_size=VALUE"),
    "very long value": (["--config=configs/digits.py", f"--config.train.epochs={'9' * 3000}"], "99 ... 99"),
    "very long word": (["--config=configs/digits.py", f"--config.precision={'x' * 3000}"], "xx ... xx"),
    "very long field": (["--config=configs/digits.py", f"--config.{'x' * 3000}=1"], "xx: no such option"),
    "very long flag": (["--config=configs/digits.py", f"--{'x' * 3000}=1"], "xx: no such option"),
    "config without a value": (["--config"], "--config: give a file"),
    "a folder for a file": (["--config=configs"], "is a folder"),
    "more than any machine has": (["--config=configs/digits.py", "--config.networks.generator_hidden=1000000000"], "config.networks.generator_hidden=1000000000: at least"),
    "more critic updates than fit": (["--config=configs/digits.py", "--config.train.n_critic=100000000"], "config.train.n_critic=100000000: at least"),
    "more epochs than are counted": (["--config=configs/digits.py", "--config.train.epochs=1000000000"], "config.train.epochs=1000000000: with 96 updates an epoch"),
    "more rows than fit": (["--config=configs/digits.py", "--config.classifier.n_syn=1000000000"], "config.classifier.n_syn=1000000000: at least"),
    "a million seeds": (["--config=configs/digits.py", f"--config.seeds={tuple(range(10000))!r}", "--config.seeds=10000"], "give at most 10000"),
    "more processes than there can be": (["--config=configs/digits.py", "--coordinator=localhost:1", "--processes=99999999999", "--process_id=0"], "processes"),
    "a mode without a name": (["--mode"], "--mode: give one of train, evaluate, predict"),
    "a name in an object store": (["--config=gs://bucket/b.py"], "gs:// is not read or written here; copy it here"),
    "a drive": (["--config=C:\\mine"], "--config=C:\\mine: no such configuration file" if os.sep == "\\" else "--config=C:\\mine: no configuration of that name"),
    "a file for a run folder": (["--config=configs/digits.py", "--workdir=/etc/passwd"], "--workdir=/etc/passwd: cannot be written (/etc/passwd is no folder)"),
    "an empty run folder": (["--config=configs/digits.py", "--workdir="], "--workdir: is empty; give a path"),
    "a seed twice": (["--config=configs/digits.py", "--config.seeds=(0,0)"], "config.seeds=(0, 0): a seed is there twice"),
    "words for seeds": (["--config=configs/digits.py", "--config.seeds=('a',)"], "'a' is no seed"),
    "a number of no others": (["--config=configs/digits.py", "--process_id=0"], "--processes and --process-id need --coordinator"),
    "no address": (["--config=configs/digits.py", "--coordinator=foo"], "--coordinator='foo': expected host:port"),
    "the number of no process": (["--config=configs/digits.py", "--coordinator=localhost:1", "--processes=2"], "each its number from 0"),
    "a folder without a run": (["evaluate", "--workdir=configs"], "--workdir=configs: holds no run (no config.json)"),
    "a folder without a model": (["synthesize", "--workdir=configs", "--output=y"], "configs: holds no saved model; a run saves one at its end"),
    "another predictor": (["predict", "--workdir=configs", "--input=README.md", "--output=y", "--predictor=foo"], "--predictor: expected one of student, classifier, ensemble, eszsl, regressor, class_norm, clip, not foo"),
    "an ablation of an unset variable": (["ablate", "--config=digits", "--output="], "d3gzsl ablate: --output: is empty; give a path"),
    "an ablation in a file": (["ablate", "--config=digits", "--output=/etc/passwd"], "d3gzsl ablate: --output=/etc/passwd: cannot be written (/etc/passwd is no folder)"),
    "no values to vary": (["ablate", "--config=digits", "--output=y", "--vary=x"], "--vary x: must be FIELD=VALUE"),
    "words to vary": (["ablate", "--config=digits", "--output=y", "--vary=train.epochs=x"], "config.train.epochs='x': must be a whole number, at least 1\n"),
    "nothing to set": (["ablate", "--config=digits", "--output=y", "--set=train.epochs="], "d3gzsl ablate: config.train.epochs='': must be a whole number, at least 1\n"),
    "cells of no preset": (["ablate", "--config=digits", "--output=y", "--only=x"], "--only x: chooses among the cells of a preset"),
    "too few epochs in every cell": (["ablate", "--config=digits", "--output=y", "--set=train.epochs=-3"], "config.train.epochs=-3"),
    "data of nobody knows where": (["--config=own"], "d3gzsl train: --config.data.root is missing: it is the .npz that d3gzsl embed wrote, as --config.data.root=birds.npz"),
    "a folder of pictures for rows": (["predict", "--workdir=configs", "--input=docs", "--output=y.csv"], "--input=docs: is a folder; --input is a file of feature rows, and pictures go by --images"),
    "a path with a line break": (["predict", "--workdir=tt\n1\t", "--input=README.md", "--output=y.csv"], "d3gzsl predict: --workdir=tt\\n1\\t: no such folder\n"),
    "a run folder with a line break": (["--config=digits", "--workdir=README.md/a\nb"], "--workdir=README.md/a\\nb: cannot be written"),
    "a configuration with a line break": (["--config=a\nb"], "--config=a\\nb: no configuration of that name"),
    "no predictor": (["predict", "--workdir=configs", "--input=README.md", "--output=y.csv", "--predictor="], "class_norm, clip, not ''\n"),
    "no number of rows": (["predict", "--workdir=configs", "--input=README.md", "--output=y.csv", "--top="], "--top: expected a whole number, 1 or more, not ''\n"),
    "a needed option with a blank in its name": (["predict", "--workdir=configs", "--images=docs", "--output=y.csv", "--data_root=none"], "--data-root=none: no such file or folder"),
    "an option nearly right": (["embed", "--image_encodr=x"], "unknown option --image_encodr; did you mean --image-encoder?"),
    "data of an unset variable": (["ablate", "--config=digits", "--output=y", "--data_root="], "--data-root: is empty; give a path"),
    "baselines to ablate": (["ablate", "--config=digits", "--output=y", "--baselines=foo"], "--baselines foo: expected some of eszsl, regressor, class_norm"),
    "baselines": (["baselines", "--config=digits", "--baselines=foo"], "--baselines foo: expected some of eszsl, regressor, class_norm, no_synthesis"),
    "baselines of an unset variable": (["baselines", "--config=digits", "--output="], "d3gzsl baselines: --output: is empty; give a path"),
    "baselines in a file": (["baselines", "--config=digits", "--output=/etc/passwd"], "--output=/etc/passwd: cannot be written (/etc/passwd is no folder)"),
    "a table of an unset variable": (["table", ""], "RUN_OR_FOLDER: is empty; give a path"),
    "a table in an unset variable": (["table", "tests", "--output="], "--output: is empty; give a path"),
    "a table that steers the terminal": (["table", "a\x1b[31mb"], "d3gzsl table: a\\x1b[31mb: no such run or folder"),
    "a report of an unset variable": (["report", ""], "RUN: is empty; give a path"),
    "a report that steers the terminal": (["report", "a\x1b[31mb"], "d3gzsl report: a\\x1b[31mb: no such folder"),
    "nothing to convert": (["convert", "to-torch", "--workdir=", "--output=y"], "--workdir: is empty; give a path"),
    "a conversion over something": (["convert", "to-torch", "--workdir=configs", "--output=README.md"], "--output=README.md: a file is there that holds no weights"),
    "a conversion into something": (["convert", "to-jax", "--torch=README.md", "--config=digits", "--output=configs"], "--output configs: is there already; name a new folder"),
    "a conversion into nobody knows what": (["convert", "to-jax", "--torch=README.md", "--output=y"], "--config or --like is missing"),
    "unwritable folder": (["--config=configs/digits.py", "--workdir=/proc/none/run"], "--workdir=/proc/none/run: cannot be written"),
    "baselines where nothing can be": (["baselines", "--config=digits", "--output=/proc/none"], "d3gzsl baselines: --output=/proc/none: cannot be written"),
    "an ablation where nothing can be": (["ablate", "--config=digits", "--output=/proc/none"], "d3gzsl ablate: --output=/proc/none: cannot be written"),
}
NEEDS_JAX = {
    "batch too large", "more than any machine has", "more critic updates than fit", "more epochs than are counted",
    "more rows than fit", "more processes than there can be", "unwritable folder", "baselines where nothing can be",
    "an ablation where nothing can be",
}  # fmt: skip
"""Of `BAD`, what can only be known with the data or the system at hand."""


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case, monkeypatch, capsys):
    arguments, message = BAD[case]
    monkeypatch.chdir(ROOT)
    assert entry.main(arguments) == 2
    out, err = capsys.readouterr()
    assert message in err and err.count("\n") == 1 and out == "" and len(err) < 700


AT_ONCE = [
    *((2, arguments) for case, (arguments, _) in BAD.items() if case not in NEEDS_JAX), (0, ["--help"]), *((0, [name, "--help"]) for name in COMMANDS), (0, ["convert", "to-jax", "--help"]), (0, ["--mode=predict", "--help"]),
    (2, []), (2, ["trian"]), (2, ["--mode=predct"]), (2, ["--config=configs/nope.py"]), (2, ["train", "--config=configs/digits.py", "--epochs=3"]),
    (2, ["--config=configs/digits.py", "--config.train.epoch=3"]), (2, ["--config=configs/digits.py", "--config.train.epochs=many"]),
    (2, ["--config=configs/digits.py", "--processes=many"]),
    (2, ["predict", "--workdir=none", "--input=x", "--output=y"]), (2, ["--mode=evaluate", "--workdir=none"]), (2, ["predict", "--topp=3"]),
    (2, ["predict", "--workdir=configs", "--input=README.md", "--output=none/y", "--top=2"]), (2, ["predict", "--workdir=configs", "--top=0"]),
    (2, ["ablate", "--config=configs/nope.py", "--output=x"]), (2, ["ablate", "--config=configs/digits.py", "--preset=none", "--output=x"]),
    (2, ["ablate", "--epochs=3"]), (2, ["baselines", "--config=configs/nope.py"]), (2, ["baselines", "--sedes=3"]),
    (2, ["table", "none"]), (2, ["report", "none"]), (2, ["convert", "to-jax"]), (2, ["convert", "to-torch", "--workdir=none", "--output=x"]),
]  # fmt: skip


def test_what_needs_no_jax_is_answered_without_it():
    """Importing JAX takes seconds."""
    program = (
        "import json, sys\nfrom d3gzsl_jax.main import main\n"
        "def code(arguments):\n"
        "    try:\n        return main(arguments)\n"
        "    except SystemExit as error:\n        return error.code\n"
        "for expected, arguments in json.loads(sys.argv[1]):\n"
        "    assert code(arguments) == expected, arguments\n"
        "    assert not {'jax', 'tensorflow', 'matplotlib', 'sklearn', 'scipy', 'orbax'} & set(sys.modules), arguments\n"
    )
    run = subprocess.run([sys.executable, "-c", program, json.dumps(AT_ONCE)], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    refused = sum(code == 2 for code, _ in AT_ONCE)
    assert run.stderr.count("\n") == refused and "\x1b" not in run.stderr and "Traceback" not in run.stderr


@pytest.mark.parametrize("command", [*([name] for name in COMMANDS), ["convert", "to-jax"], ["convert", "to-torch"]])
def test_options_have_dashes_in_help(command, capsys):
    """One spelling; both are taken."""
    with pytest.raises(SystemExit):
        entry.main([*command, "--help"])
    listed = capsys.readouterr().out.partition("Fields of the configuration")[0]
    assert not re.findall(r"--[a-z]+_\w+", listed)


def test_the_help_of_prediction_has_every_format(capsys):
    with pytest.raises(SystemExit):
        entry.main(["predict", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert all(re.search(rf"features, .*\{suffix}\b.* --names", said) for suffix in FORMATS.split(", "))


def test_the_overview_tells_how_serve_ends(capsys):
    with pytest.raises(SystemExit):
        entry.main(["--help"])
    assert "Ctrl-C and SIGTERM are how serve ends: 0" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_its_options_and_exit_codes(name, capsys):
    with pytest.raises(SystemExit) as ended:
        entry.main([name, "--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and f"    d3gzsl {name} " in out and "xit code" in out
    assert out.index(f"    d3gzsl {name} ") < out.index("options:" if "options:" in out else "-h, --help")
    with pytest.raises(SystemExit):
        entry.main(["--help"])
    assert re.search(rf"^  {name} +\w", capsys.readouterr().out, re.MULTILINE)


def test_the_help_of_training_has_every_field(capsys):
    with pytest.raises(SystemExit):
        entry.main(["train", "--help"])
    out = capsys.readouterr().out
    assert all(f"--config.{name}=" in out for name in schema.by_name())


def test_every_spelling_of_an_option_counts(monkeypatch):
    monkeypatch.chdir(ROOT)
    arguments = ["-config", "configs/digits.py", "--workdir", "here", "--config.train.epochs", "3", "-config.seed=4", "--noconfig.log.report"]
    arguments += ["--config.eval.retrain", "--process-id=2"]
    config, overrides, rest = command_line.taken(arguments)
    assert overrides == {"train.epochs": 3, "seed": 4, "log.report": False, "eval.retrain": True}
    assert (config.train.epochs, config.seed, config.log.report, config.eval.retrain) == (3, 4, False, True)
    assert rest == ["--workdir", "here", "--process-id=2"]


@pytest.mark.parametrize("given", [["--flagfile={}"], ["-flagfile={}"], ["--flagfile", "{}"], ["--undefok=mine", "--mine=3"], ["--verbosity=1"], ["--only_check_args"]])
@pytest.mark.parametrize("command", [[], ["train", "--config=digits"], ["predict", "--workdir=x"], ["ablate"], ["table"], ["--config.dataset"]])
def test_options_of_the_flag_parser_are_no_options(given, command, tmp_path, capsys):
    """It would read a file, and pass over what is misspelt; nothing here says that there are such options."""
    (tmp_path / "secret").write_text("root:x:0:0\n")
    assert entry.main([*command, *(text.format(tmp_path / "secret") for text in given)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "root" not in err
    assert f"unknown option {given[0].partition('=')[0]}" in err or command == ["--config.dataset"]


def test_a_broken_configuration_file(tmp_path, capsys):
    (tmp_path / "broken.py").write_text("def get_config(:\n")
    assert entry.main([f"--config={tmp_path / 'broken.py'}"]) == 2
    assert "broken.py" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "bogus"])
def test_a_backend_that_is_not_there_is_one_line(tmp_path, platform):
    run = main("--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", env={"JAX_PLATFORMS": platform})
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and not (tmp_path / "run").exists()
    assert f"JAX_PLATFORMS={platform}: JAX cannot use that here" in run.stderr and "there is: cpu" in run.stderr


@pytest.mark.slow
def test_a_backend_that_is_not_there_is_one_line_of_a_tool():
    run = subprocess.run(
        [sys.executable, "-m", "d3gzsl_jax", "baselines", "--config=configs/digits.py"], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"JAX_PLATFORMS": "cuda"},
    )  # fmt: skip
    assert run.returncode == 2 and run.stderr.startswith("d3gzsl baselines: JAX_PLATFORMS=cuda: JAX cannot use that here") and run.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("program", [["-m", "d3gzsl_jax.main"], ["-m", "d3gzsl_jax", "report"], ["-m", "d3gzsl_jax", "table"], ["tools/robustness/launch.py"]])
def test_help_for_a_reader_that_leaves_is_silent(program):
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([sys.executable, *program, "--help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert process.communicate(timeout=60)[1] == b"" and process.returncode == 141


@pytest.mark.slow
def test_a_reader_that_leaves_ends_a_run_with_a_checkpoint(tmp_path):
    arguments = ["--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", *PLAIN]
    process = subprocess.Popen(
        command(*arguments, "--config.train.epochs=100000"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not process.stdout.readline().startswith("epoch 1/"):
        assert process.poll() is None
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(timeout=120) == 141 and err.count("\n") == 1
    assert "nobody reads the output any more: stopped after outer step" in err and "the same command goes on from there" in err
    assert list((tmp_path / "run" / "checkpoints").glob("[0-9]*")) and not (tmp_path / "run" / "results.json").exists()


@pytest.mark.slow
def test_a_terminal_that_lacks_letters_is_no_failure(tmp_path):
    arguments = ["--config=configs/digits.py:base", f"--workdir={tmp_path / 'räum'}", *PLAIN, "--config.train.epochs=1"]
    run = main(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert run.returncode == 0 and run.stderr == "" and "r\\xe4um" in run.stdout


def test_bad_data_leaves_no_folder_behind(here, tmp_path):
    small.write_mat_folder(tmp_path / "CUB", res101={"features": None})
    run = here("--config=configs/cub.py", f"--config.data.root={tmp_path / 'CUB'}", f"--workdir={tmp_path / 'run'}")
    assert run.returncode == 2 and "variable 'features' is missing" in run.stderr
    assert not (tmp_path / "run").exists()


def test_results_are_not_overwritten(here, tmp_path):
    (tmp_path / "results.json").write_text("{}")
    run = here("--config=configs/digits.py", f"--workdir={tmp_path}")
    assert run.returncode == 2 and "holds no run, but other things" in run.stderr
    assert (tmp_path / "results.json").read_text() == "{}"


@pytest.mark.slow
def test_not_finite_stops_with_step_and_term(here, tmp_path):
    run = here("--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", *QUICK, "--config.train.learning_rate=1e30")
    assert run.returncode == 3 and run.stderr.count("\n") == 1
    assert re.search(r"stopped at outer step \d+, critic update \d: not finite: .*cls", run.stderr)
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.slow
def test_control_c_before_anything_was_trained_leaves_no_result(tmp_path):
    process = subprocess.Popen(
        command("--config=configs/digits.py", f"--workdir={tmp_path / 'run'}", "--config.teacher.epochs=1000000"),
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "config.json").exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err and "stopped before there was a result" in err
    assert not (tmp_path / "run" / "results.json").exists()


@pytest.mark.slow
def test_a_classifier_that_breaks_down_is_named(here, tmp_path):
    run = here("--config=configs/digits.py:base", f"--workdir={tmp_path / 'run'}", *QUICK, "--config.classifier.learning_rate=1e38")
    assert run.returncode == 3 and "final classifier of epoch 1: not finite" in run.stderr and run.stderr.count("\n") == 1


@pytest.mark.slow
def test_runs_without_a_folder_get_one_each(tmp_path):
    arguments = ["--config=" + str(ROOT / "configs" / "digits.py"), *PLAIN, "--config.train.epochs=1", "--config.classifier.epochs=1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    runs = [subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    assert len(list(tmp_path.glob("runs/digits-*/results.json"))) == 2


def test_the_version_and_the_help_by_other_words(capsys):
    for word in ("--version", "version", "-V"):
        with pytest.raises(SystemExit) as ended:
            entry.main([word])
        assert ended.value.code == 0
        assert re.fullmatch(r"d3gzsl-jax \d\S*, jax \d\S*, Python 3\.\d+\.\d+\S*\n", capsys.readouterr().out)
    for words, told in ((["help"], "Commands; d3gzsl COMMAND --help"), (["help", "predict"], "Classes of pictures, or of raw feature rows")):
        with pytest.raises(SystemExit):
            entry.main(words)
        assert told in capsys.readouterr().out
