"""The table of benchmarks, made of measurements."""

import json

import pytest

from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tools.accelerator_stages.summary import markdown
from tools.benchmark import outer_step_table
from tools.generated_blocks import filled


def measured(size, precision, seconds, **rivals):
    of = {name.replace("_", " "): {"seconds_per_step": ratio * seconds, "ratio": ratio, "peak_resident_gib": 2.0} for name, ratio in rivals.items()}
    return {
        "size": size, "precision": precision, "seconds_per_step": seconds, "matmul_flops_per_step": 3.05e11, "share_of_machine_rate": 0.75,
        "peak_resident_gib": 1.5, "rivals": of,
    }  # fmt: skip


def test_a_row_a_size_with_both_precisions(tmp_path, monkeypatch):
    of_cub = measured("cub", "float32", 2.0, oracle_eager=3.0, oracle_explicit=2.5, released_loop=10.0)
    files = [tmp_path / "float32.json", tmp_path / "bfloat16.json"]
    files[0].write_text(json.dumps([of_cub, measured("digits", "float32", 0.01)]), encoding="utf-8")
    files[1].write_text(json.dumps([measured("cub", "bfloat16", 1.0)]), encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin outer-steps -->\nold\n<!-- end outer-steps -->\nafter\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["outer_step_table.py", *map(str, files), f"--page={page}", f"--keep={tmp_path / 'kept.json'}"])
    assert run_command(outer_step_table.main) == 0
    lines = page.read_text(encoding="utf-8").splitlines()
    assert len(json.loads((tmp_path / "kept.json").read_text(encoding="utf-8"))) == 3
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith(("| cub", "| digits"))]
    assert rows[0] == ["cub", "305", "2 s", "75 %", "1 s", "3.00", "2.50", "—", "10.00", "20.00", "1.5 GiB", "2.0 GiB", "2.0 GiB"]
    assert rows[1] == ["digits", "305", "0.01 s", "75 %", *["—"] * 6, "1.5 GiB", "—", "—"]
    page.write_text("<!-- begin other -->\n<!-- end other -->\n", encoding="utf-8")
    assert run_command(outer_step_table.main) == 2


@pytest.mark.parametrize(
    ("file", "told"),
    [(None, "there is no such file"), ("no JSON", "damaged"), ("{}", "Expected array"), ('[{"size": "cub"}]', "lacks '0.precision'")],
)  # fmt: skip
def test_what_is_no_measurement_gets_one_line(tmp_path, monkeypatch, capsys, file, told):
    given, page = tmp_path / "F1.json", tmp_path / "page.md"
    page.write_text("<!-- begin outer-steps -->\n<!-- end outer-steps -->\n", encoding="utf-8")
    if file is not None:
        given.write_text(file, encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["outer_step_table.py", str(given), f"--page={page}"])
    assert run_command(outer_step_table.main) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "F1.json" in said and told in said


def test_nothing_is_written_where_one_place_cannot_be(tmp_path, monkeypatch, capsys):
    files = [tmp_path / name for name in ("F1.json", "page.md", "notes.md")]
    files[0].write_text(json.dumps([measured("cub", "float32", 2.0)]), encoding="utf-8")
    files[1].write_text("<!-- begin outer-steps -->\nold\n<!-- end outer-steps -->\n", encoding="utf-8")
    files[2].write_text("mine", encoding="utf-8")
    for options in ([f"--page={files[1]}", f"--keep={files[2]}"], [f"--page={tmp_path / 'none.md'}", f"--keep={tmp_path / 'kept.json'}"]):
        monkeypatch.setattr("sys.argv", ["outer_step_table.py", str(files[0]), *options])
        assert run_command(outer_step_table.main) == 2 and capsys.readouterr().err.count("\n") == 1
    assert "old" in files[1].read_text(encoding="utf-8") and files[2].read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "kept.json").exists()


def test_the_page_is_made_of_what_was_measured():
    found = json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    made = "\n".join(outer_step_table.markdown_lines(outer_step_table.table(found)))
    chip = markdown(json.loads(outer_step_table.ACCELERATOR.read_text(encoding="utf-8"))).strip()
    assert "<!-- begin outer-steps -->" in page and "<!-- begin accelerator -->" in page
    assert filled(page, {"outer-steps": made, "accelerator": chip}) == page
