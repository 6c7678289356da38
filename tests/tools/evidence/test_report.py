"""Comparisons by seed, and the page that is made of them."""

import re

import numpy as np
import pytest

from d3gzsl_jax.config.schema import framework_names
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tests.tools.evidence.results import results, write
from tools.evidence import comparisons, methods, ranking, report, uses_of_student

UNSEEN = {("wgan", False): (0.4, 0.42, 0.44), ("wgan", True): (0.5, 0.5, 0.56), ("cadavae", False): (0.3, 0.31, 0.35), ("cadavae", True): (0.3, 0.33, 0.33)}


@pytest.fixture
def kept(tmp_path):
    """Two methods on two benchmarks, of which one method has a seed less without D3."""
    for benchmark in ("FLO", "CUB100"):
        for (framework, with_d3), values in UNSEEN.items():
            for seed, unseen in enumerate(values):
                if (benchmark, framework, with_d3, seed) != ("CUB100", "cadavae", False, 2):
                    student = (unseen - 0.1, 0.8) if with_d3 else None
                    of = results(framework, with_d3, seed, unseen, 0.8, student)
                    write(tmp_path / "kept" / benchmark / f"{framework}-{with_d3}" / f"seed-{seed}", of)
    write(tmp_path / "kept" / "FLO" / "fvaegan" / "seed-0", results("fvaegan", True, 0, 0.5, 0.5))  # without its base: no comparison
    return tmp_path / "kept"


def harmonics(framework, with_d3, less=0.0):
    unseen = np.array(UNSEEN[framework, with_d3]) - less
    return 100 * 2 * unseen * 0.8 / (unseen + 0.8)


def test_comparisons_are_paired_by_seed(kept):
    found = comparisons.comparisons("CUB100", comparisons.read(kept / "CUB100"))
    assert [(one.framework, one.family, one.seeds) for one in found] == [("wgan", "GAN", (0, 1, 2)), ("cadavae", "VAE", (0, 1))]
    expected = harmonics("wgan", True) - harmonics("wgan", False)
    np.testing.assert_allclose(found[0].differences(), expected)
    np.testing.assert_allclose(found[0].differences("student", base="chosen"), harmonics("wgan", True, 0.1) - harmonics("wgan", False))
    told = found[0].statistics()
    assert told["difference"] == pytest.approx(expected.mean()) and told["low"] < expected.mean() < told["high"] and told["p"] < 0.05
    assert np.isnan(found[0].values("base", "student", "harmonic")).all()


def test_every_framework_has_a_family_once():
    members = [name for of in comparisons.FAMILIES.values() for name in of]
    of_stages = {of.first_stage for of in registry.FRAMEWORKS.values()}
    assert sorted(members) == sorted(set(framework_names()) - of_stages) and len(set(members)) == len(members)


def test_a_page_is_filled_between_its_marks(kept, tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    marks = "\n".join(f"<!-- begin {name} -->\nold\n<!-- end {name} -->" for name in ("effects", "families", "measures", "power", "hours", "FLO"))
    page.write_text(f"# Results\n\n{marks}\n\nthe end\n", encoding="utf-8")
    argv = ["report.py", str(kept), f"--page={page}", f"--figure={tmp_path / 'figure.svg'}"]
    monkeypatch.setattr("sys.argv", argv)
    assert run_command(report.main) == 0
    text = page.read_text(encoding="utf-8")
    assert "old" not in text and text.startswith("# Results\n") and text.endswith("the end\n")
    difference = f"{(harmonics('wgan', True) - harmonics('wgan', False)).mean():+.1f}"
    assert f"| FLO | GAN | WGAN-GP | 3 |" in text and f"| {difference} |" in text  # noqa: F541
    assert "| H | 4 | 11 |" in text and "| H calibrated | 4 | 11 |" in text and "| T1 | 4 | 11 | +0.0 |" in text
    assert "| all | 4 | 11 |" in text and "The clocks of all programs show 6.8 hours in all: 6.8 of " in text and "80 %" in text and "fvaegan + D3" in text
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")
    figure = (tmp_path / "figure.svg").read_bytes()
    assert run_command(report.main) == 0 and page.read_text(encoding="utf-8") == text  # again: nothing new
    assert (tmp_path / "figure.svg").read_bytes() == figure


def test_marks_of_something_else_are_refused(kept, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- begin SUN -->\n<!-- end SUN -->\n", encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["report.py", str(kept), f"--page={page}", f"--figure={tmp_path / 'figure.svg'}"])
    assert run_command(report.main) == 2 and "SUN" in capsys.readouterr().err and not (tmp_path / "figure.svg").exists()


def test_a_figure_that_cannot_be_written_leaves_the_pages(kept, tmp_path, monkeypatch, capsys):
    page, mine = tmp_path / "page.md", tmp_path / "mine.txt"
    page.write_text("<!-- begin effects -->\nold\n<!-- end effects -->\n", encoding="utf-8")
    mine.write_text("mine", encoding="utf-8")
    for figure in (mine, mine / "figure.svg"):
        monkeypatch.setattr("sys.argv", ["report.py", str(kept), f"--page={page}", f"--figure={figure}"])
        assert run_command(report.main) == 2 and capsys.readouterr().err.count("\n") == 1
        assert "old" in page.read_text(encoding="utf-8") and mine.read_text(encoding="utf-8") == "mine"
    monkeypatch.setattr("sys.argv", ["report.py", str(kept), f"--page={page}", f"--figure={tmp_path / 'new' / 'figure.svg'}"])
    assert run_command(report.main) == 0 and (tmp_path / "new" / "figure.svg").is_file()


def test_without_a_comparison_nothing_is_made(tmp_path):
    write(tmp_path / "FLO" / "wgan-d3" / "seed-0", results("wgan", True, 0, 0.5, 0.5))
    with pytest.raises(UserError, match="no method has runs with D3 and without"):
        report.blocks(tmp_path)


def test_the_table_of_methods_has_every_framework(kept):
    found = methods.table({"FLO": comparisons.read(kept / "FLO")}, ["wgan", "fvaegan", "free"])
    base, ours = (f"{harmonics('wgan', with_d3).mean():.1f}" for with_d3 in (False, True))
    assert [[cell.text for cell in row] for row in found.rows] == [
        ["WGAN-GP", "wgan", methods.REPLAYED["wgan"], f"{base}, {ours}"],
        ["f-VAEGAN-D2", "fvaegan", methods.REPLAYED["fvaegan"], "—, 50.0"],
        ["FREE", "free", methods.REPLAYED["free"], "—"],
    ]


def test_the_ranking_begins_with_the_highest_calibrated_h(kept):
    found = ranking.table({"FLO": comparisons.read(kept / "FLO")})
    assert [row[1].text for row in found.rows] == ["WGAN-GP + D3", "WGAN-GP", "f-VAEGAN-D2 + D3", "CADA-VAE + D3", "CADA-VAE"][: len(found.rows)]
    assert found.rows[0][2].text == "classifier" and found.rows[0][-1].text == "30"


USES = {
    "ensemble": {"eval": {"ensemble": True}}, "embedding": {"classifier": {"inputs": "student"}},
    "ensemble, embedding": {"eval": {"ensemble": True}, "classifier": {"inputs": "student"}},
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
def test_a_further_use_of_the_student_is_a_method_of_its_own(kept, use):
    for seed, unseen in enumerate((0.5, 0.55, 0.6)):
        of = results("wgan", True, seed, unseen, 0.8)
        for part, fields in USES[use].items():
            of["config"][part] |= fields
        write(kept / "FLO" / "wgan-d3-further" / f"seed-{seed}", of)
        assert ", ".join(comparisons.further_use(of)) == use
    found = comparisons.read(kept / "FLO")
    (wgan, *_) = comparisons.comparisons("FLO", found)
    np.testing.assert_allclose(wgan.values("ours", "chosen", "harmonic"), harmonics("wgan", True))  # not that of the further use
    assert methods.table({"FLO": found}, ["wgan"]).rows[0][3].text.endswith(f"{harmonics('wgan', True).mean():.1f}")
    assert f"WGAN-GP + D3 ({use})" in [row[1].text for row in ranking.table({"FLO": found}).rows]
    rows = [[cell.text for cell in row] for row in uses_of_student.table({"FLO": found}).rows]
    assert [(row[1], row[3], row[4]) for row in rows] == [("WGAN-GP", "classifier", "3")] * 3 and len({row[2] for row in rows}) == 3
    ours = 100 * 2 * np.array([0.5, 0.55, 0.6]) * 0.8 / (np.array([0.5, 0.55, 0.6]) + 0.8)
    assert rows[0][9:] == [""] * 4 and rows[2][9] == f"{(ours - harmonics('wgan', False)).mean():+.1f}" and rows[2][11] == "+0.0"


def test_the_page_on_studies_names_every_block_that_is_made(kept):
    made, _ = report.blocks(kept)
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8").partition("| block | holds |")[2].partition("\n\n")[0]
    named = {name for row in page.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")}
    assert named == {*made, *report._OF_FILES} - {"FLO", "CUB100"}


def test_the_pages_are_what_the_kept_results_make():
    """They were filled after the last of docs/results came."""
    made, _ = report.blocks(ROOT / "docs" / "results")
    for name in ("docs/results.md", "docs/choosing.md", "docs/stress.md", "README.md"):
        page = (ROOT / name).read_text(encoding="utf-8")
        assert "<!-- begin " in page and report.filled(page, made) == page, name
