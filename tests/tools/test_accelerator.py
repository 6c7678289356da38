"""The command for the day an accelerator is at hand: what it found survives failing stages and cuts, and the tables are made of it."""

import importlib.util
import json
import time

import pytest

from d3gzsl_jax.system.accelerators import CUBLAS, UNTUNED
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import GOLDEN, ROOT
from tools import accelerator
from tools.accelerator_stages import backend_tests, oracle, outer_steps, replay, stage_process, training
from tools.accelerator_stages.plan import PLAN, Planned, seconds_for
from tools.accelerator_stages.stage import Stage, found_file
from tools.accelerator_stages.summary import SIDE, markdown
from tools.benchmark import outer_step
from tools.benchmark.sizes import SIZES
from tools.parity_parts.comparison import LOSS, PARAMETER, Comparison

CHIP = {
    "environment": {"python": "3.12.1", "versions": {"jax": "0.11.2"}, "backends": {"torch": "2.13.0"}, "device": {"kind": "a chip"}},
    "platform": "cuda", "driver": "a chip, 580.1", "side": 8192, "matmul_flops": {"float32": 5e13, "tf32": 4e14},
}  # fmt: skip
STEP = {"seconds_per_step": 0.02, "matmul_flops_per_step": 3e11, "machine_matmul_flops": 2.5e13, "share_of_machine_rate": 0.6, "first_call_seconds": 12.0}
WHOLE = {
    "chip": CHIP,
    "replay": {"recordings": {
        "wgan": {"verdict": "within", "worst_loss_relative": 4e-7, "worst_parameter_rates": 0.0009, "outside": []},
        "free": {"verdict": "failed", "why": "RuntimeError: | no"},
    }},
    "outer_steps": {"steps": {
        "float32": {"wgan": STEP, "free": {"failed": "out of memory"}}, "tf32": {"wgan": STEP | {"seconds_per_step": 0.01}}, "bfloat16": {},
    }},
    "oracle": {"oracle": [{"framework": "wgan", "asked": "float32", "compiled": True, "seconds_per_step": 0.05}]},
    "training": {"source": "simulated rows of CUB's size", "runs": {"configs/cub.py": {
        "epochs": 120, "seconds_per_epoch": 0.5, "seconds_of_2000_epochs": 1020.0, "metrics": {"unseen": 0.1, "seen": 0.5, "harmonic": 0.1667},
    }, "configs/cub_small.py": {"failed": "no memory"}}},
    "seeds": {"seeds": 8, "config": "configs/cub_small.py", "steps": 200, "seconds": {"alone": 4.0, "vmap": 1.0, "map": 3.6}},
    "profiling": {"steps": 10, "milliseconds": 200.0, "longest": {"gemm_a": 150.0, "fusion": 50.0}},
    "compilers_choice": {"wgan": STEP},
    "backend_tests": {"tests": {"passed": 90, "failed": 1, "which": ["tests/test_keys.py::test_a"], "all_were_run": False}},
}  # fmt: skip


def done(name, found=None):
    return {"status": "done", "why": "", "seconds": 1.0, "found": WHOLE[name] if found is None else found}


def read(folder):
    return json.loads((folder / "accelerator.json").read_text())


def stage(tmp_path, seconds, name="chip"):
    return Stage(name, tmp_path, "", True, "", time.monotonic() + seconds)


def test_every_stage_has_its_turn_and_what_it_found_is_written_at_once(tmp_path, capsys):
    seen = []

    def run(stage, planned):
        seen.append((stage.name, stage.platform, list(read(tmp_path)["stages"])))
        return done(stage.name)

    assert accelerator.main(["--minutes", "9", "--output", str(tmp_path)], run) == 0
    names = [planned.name for planned in PLAN]
    assert [name for name, *_ in seen] == names == list(read(tmp_path)["stages"])
    assert [before for *_, before in seen] == [names[:place] for place in range(len(names))]
    assert [platform for _, platform, _ in seen] == ["", *["cuda"] * (len(PLAN) - 1)]
    assert (tmp_path / "accelerator.md").read_text() in capsys.readouterr().out


def test_a_stage_that_fails_or_is_cut_costs_a_line(tmp_path):
    def run(stage, planned):
        if stage.name == "replay":
            raise OSError(12, "Cannot allocate memory")
        if stage.name == "outer_steps":
            return {"status": "cut", "why": "its 90 s were over", "seconds": 90.0, "found": WHOLE["outer_steps"]}
        if stage.name == "seeds":
            return {"status": "failed", "why": "RESOURCE_EXHAUSTED", "seconds": 3.0, "found": {}}
        return done(stage.name)

    assert accelerator.main(["--output", str(tmp_path)], run) == 1
    found = read(tmp_path)["stages"]
    assert len(found) == len(PLAN) and found["outer_steps"]["found"] == WHOLE["outer_steps"]
    text = (tmp_path / "accelerator.md").read_text()
    for line in ("- replay failed: could not be started (Cannot allocate memory)", "- outer_steps cut: its 90 s were over", "- seeds failed: RESOURCE_EXHAUSTED"):
        assert line in text.splitlines()
    assert "| wgan | 20 | 10 |" in text


def test_when_the_command_itself_is_stopped_what_was_done_is_there(tmp_path):
    def run(stage, planned):
        if stage.name == "training":
            raise KeyboardInterrupt
        return done(stage.name)

    with pytest.raises(KeyboardInterrupt):
        accelerator.main(["--output", str(tmp_path)], run)
    assert list(read(tmp_path)["stages"]) == ["chip", "outer_steps", "oracle"]


def test_a_stage_by_itself_leaves_the_others_as_they_were(tmp_path):
    accelerator.main(["--output", str(tmp_path)], lambda stage, planned: done(stage.name))
    platforms = []
    again = lambda stage, planned: platforms.append(stage.platform) or done("seeds", {"seconds": {}})  # noqa: E731
    assert accelerator.main(["--output", str(tmp_path), "--only", "seeds"], again) == 0
    found = read(tmp_path)["stages"]
    assert platforms == ["cuda"] and found["seeds"]["found"] == {"seconds": {}} and found["training"]["found"] == WHOLE["training"]
    assert list(found) == [planned.name for planned in PLAN]
    assert [told.partition(".py ")[2] for told in read(tmp_path)["commands"]] == ["--minutes 8", "--minutes 8 --only seeds"]


def test_a_stage_for_which_no_time_is_left_is_skipped(tmp_path):
    assert accelerator.main(["--output", str(tmp_path), "--minutes", "0.2"], lambda stage, planned: done(stage.name)) == 0
    found = read(tmp_path)["stages"]
    assert found["chip"]["status"] == "done" and found["outer_steps"]["status"] == "skipped" and "s were left" in found["outer_steps"]["why"]


def test_what_a_stage_leaves_over_goes_to_those_after_it():
    assert sum(planned.share for planned in PLAN) == 100
    assert seconds_for(PLAN[0], 500.0) == pytest.approx(500 * PLAN[0].share / 100)
    assert seconds_for(PLAN[-1], 500.0) == 500.0
    few = [PLAN[0], PLAN[-1]]
    assert seconds_for(few[0], 500.0, few) == pytest.approx(500 * few[0].share / (few[0].share + few[1].share))


def test_the_first_framework_is_timed_in_all_precisions_before_the_others():
    assert outer_steps.order(["a", "b", "c"]) == [
        ("float32", "a"), ("tf32", "a"), ("bfloat16", "a"), ("float32", "b"), ("float32", "c"), ("tf32", "b"), ("tf32", "c"),
        ("bfloat16", "b"), ("bfloat16", "c"),
    ]  # fmt: skip


STAND_IN = """
import json, os, pathlib, sys, time
stage = json.loads(sys.argv[1])
(pathlib.Path(stage['output']) / 'stages' / (stage['name'] + '.json')).write_text(json.dumps(
    {'environment': {name: os.environ.get(name) for name in ('XLA_PYTHON_CLIENT_PREALLOCATE', 'XLA_FLAGS')}}))
print('a first line'); print('out of memory, as it were', flush=True)
if stage['name'] == 'hangs':
    time.sleep(600)
os._exit(int(stage['data'] or 0))
"""


@pytest.mark.parametrize(
    ("name", "code", "status", "why"),
    [("chip", "", "done", ""), ("chip", "7", "failed", "out of memory"), ("oracle", "3", "skipped", "out of memory"), ("hangs", "", "cut", "were over")],
)
def test_a_stage_is_a_process_and_what_it_wrote_is_kept_however_it_ends(tmp_path, monkeypatch, name, code, status, why):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.setattr(stage_process, "PROCESS", (stage_process.sys.executable, str(tmp_path / "stand_in.py")))
    monkeypatch.setattr(stage_process, "_GRACE", 0.5)
    monkeypatch.setenv("XLA_FLAGS", "--a=1 --b=2")
    given = stage(tmp_path, 3.0 if name == "hangs" else 60.0, name)
    given.data, given.platform = code, "cuda"
    found = stage_process.outcome(given, Planned(name, 10, flags="--b=3 --c=4"))
    assert found["status"] == status and why in found["why"] and found["seconds"] < 60
    assert found["found"]["environment"] == {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "XLA_FLAGS": "--a=1 --b=2 --c=4"}


@pytest.mark.parametrize(
    ("platform", "flags", "wanted"),
    [("cuda", UNTUNED, f"--a=1 {CUBLAS} --xla_gpu_autotune_level=0"), ("tpu", UNTUNED, f"--a=1 {CUBLAS}"), ("cuda", "", f"--a=1 {CUBLAS}"), ("cuda", None, "--a=1")],
)
def test_flags_are_for_gpus_and_are_taken_out_where_the_compiler_is_to_choose(tmp_path, monkeypatch, platform, flags, wanted):
    monkeypatch.setenv("XLA_FLAGS", f"--a=1 {CUBLAS}")
    given = stage(tmp_path, 60)
    given.platform = platform
    assert stage_process._environment(given, Planned("chip", 10, flags=flags))["XLA_FLAGS"] == wanted


def test_the_chip_is_asked_first_where_it_is_not_known(tmp_path):
    seen = []
    accelerator.main(["--output", str(tmp_path), "--only", "seeds"], lambda stage, planned: seen.append((stage.name, stage.platform)) or done(stage.name))
    accelerator.main(["--output", str(tmp_path), "--only", "oracle"], lambda stage, planned: seen.append((stage.name, stage.platform)) or done(stage.name))
    assert seen == [("chip", ""), ("seeds", "cuda"), ("oracle", "cuda")]


def test_what_an_earlier_version_wrote_is_kept(tmp_path):
    (tmp_path / "accelerator.json").write_text(json.dumps({"date": "2026-11-27", "command": "COMMAND", "stages": {"chip": done("chip")}}))
    accelerator.main(["--output", str(tmp_path), "--only", "seeds"], lambda stage, planned: done(stage.name))
    assert list(read(tmp_path)["stages"]) == ["chip", "seeds"] and read(tmp_path)["commands"][0] == "COMMAND"


def test_a_stage_that_raises_says_why_in_its_last_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(oracle, "find_spec", lambda name: None)
    assert stage_process.main([stage(tmp_path, 60, "oracle").to_json()]) == stage_process.SKIPPED
    assert "PyTorch is not installed" in capsys.readouterr().out
    monkeypatch.setattr(oracle, "find_spec", lambda name: 1 / 0)
    assert stage_process.main([stage(tmp_path, 60, "oracle").to_json()]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ZeroDivisionError: division by zero"


def test_a_stage_adds_to_what_it_found(tmp_path):
    (tmp_path / "stages").mkdir()
    one = Stage.from_json(stage(tmp_path, 60).to_json())
    one.record(a=1)
    one.note("b was left out")
    assert json.loads(found_file(tmp_path, "chip").read_text()) == {"a": 1, "notes": ["b was left out"]} and 50 < one.left < 60


def test_the_tables_are_made_of_the_json():
    results = {"date": "2026-11-27", "commands": ["COMMAND"], "stages": {name: done(name) for name in WHOLE}}
    text = markdown(json.loads(json.dumps(results)))
    for line in (
        "2026-11-27, a chip, jax 0.11.2, torch 2.13.0, Python 3.12.1: `COMMAND`. Driver: a chip, 580.1. Products of 8192 x 8192 matrices, TFLOP/s: 50 in float32, 400 in tf32.",
        "| framework with D3, CUB's size | float32, ms | tf32, ms | bfloat16, ms | GFLOP | share of the rate of 2048 x 2048 products beside it, float32 | first call | PyTorch compiled, float32, ms (ratio) |",
        "| wgan | 20 | 10 |  | 300 | 60 % of 25 TFLOP/s | 12.0 s | 50 (**2.50**) |", "| free | failed |  |  |  |  |  |  |",
        "| `configs/cub.py` | 120 | 0.50 s | 17 min | 10.0 / 50.0 / 16.7 |", "| `configs/cub_small.py` | no memory |  |  |  |",
        "8 seeds, `configs/cub_small.py`, 200 outer steps each, compiled already: vmap 1.00 s (0.25), map 3.60 s (0.90), one after another 4.00 s.",
        "| wgan | within | 4e-07 | 0.0009 |  |", "| free | failed |  |  | RuntimeError: \\| no |", "| `gemm_a` | 150.00 | 75 % |",
        "Without flags of this tool: wgan, float32 20 ms, first call 12.0 s.",
        "Tests of what depends on the backend (not all were run): 90 passed, 1 failed: `tests/test_keys.py::test_a`.",
    ):  # fmt: skip
        assert line in text.splitlines()
    assert "Not whole" not in text and SIDE == outer_step.SIDE
    for name in WHOLE:  # whatever is missing, there is a page
        assert markdown(results | {"stages": {name: done(name)}}) and markdown(results | {"stages": {name: done(name, {})}})


def test_how_long_2000_epochs_take(tmp_path):
    assert training.summary(tmp_path) == {}
    lines = [{"kind": "epoch", "epoch": epoch, "clock": {"seconds": 30.0 + epoch / 2}} for epoch in (20, 40, 60)]
    (tmp_path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in [{"kind": "note"}, *lines]))
    assert training.summary(tmp_path) == {"epochs": 60, "seconds": 60.0, "seconds_per_epoch": 0.5, "seconds_of_2000_epochs": 1030.0}


def test_a_recording_in_few_figures():
    found = Comparison()
    found.add("critic loss", "1", 2.0, 2.00001, LOSS)
    found.add("parameters critic", "1", 1.0, 1.5, PARAMETER, unit=0.1)
    told = replay.summary(found)
    assert told["verdict"] == "outside" and told["worst_parameter_rates"] == 5.0 and told["worst_loss_relative"] == pytest.approx(5e-6, rel=0.01)
    assert [line.split(":")[0] for line in told["outside"]] == ["parameters critic"]


def test_what_the_stages_name_is_there():
    assert all(importlib.util.find_spec(f"tools.accelerator_stages.{planned.name}") for planned in PLAN)
    assert sorted(replay.ORDER) == sorted(path.stem for path in GOLDEN.glob("*.npz"))
    assert all((ROOT / path).exists() for path in backend_tests.FILES) and oracle.TOOL.is_file() and set(oracle.SIZE.values()) <= SIZES.keys()
    assert all((ROOT / config).is_file() for config in training.RUNS)


@pytest.mark.parametrize(("arguments", "message"), [
    (["--minutes", "0"], "--minutes 0.0: must be above 0"), (["--minutes", "nan"], "--minutes nan"), (["--data", "nowhere"], "there is no such folder"),
    (["--output", "tests"], "holds other things, which stay"), (["--output", "README.md"], "is no folder"),
])  # fmt: skip
def test_bad_input_is_refused_before_anything_is_done(arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert run_command(lambda: accelerator.main(arguments, lambda stage, planned: pytest.fail("a stage was run"))) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_the_chip_and_its_steps_at_tiny_sizes(tmp_path):
    assert accelerator.main(["--quick", "--minutes", "8", "--only", "chip", "outer_steps", "--output", str(tmp_path)]) == 0
    found = read(tmp_path)["stages"]
    assert found["chip"]["found"]["platform"] == "cpu" and found["chip"]["found"]["matmul_flops"].keys() == {"float32", "tf32", "bfloat16"}
    assert all(of["wgan"]["seconds_per_step"] > 0 and of["fclswgan"]["passes"] for of in found["outer_steps"]["found"]["steps"].values())
    assert "| wgan |" in (tmp_path / "accelerator.md").read_text()
