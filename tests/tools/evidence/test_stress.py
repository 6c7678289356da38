"""Studies of stress are kept by cell, predictor and seed, and D3 is compared with the base method at its own level."""

import json

from d3gzsl_jax.system.terminal import run_command
from tools.evidence import stress

HEAD = "cell,seed,predictor,selection,epochs,unseen,seen,harmonic,zsl,ausuc,calibrated,result,baseline,seconds,folder,data\n"


def line(cell, seed, predictor, harmonic, data):
    return f'"{cell}",{seed},{predictor},validation,3,0.5,0.5,{harmonic},0.5,0.25,{harmonic},True,False,9.0,x,{data}\n'


def test_d3_is_compared_with_the_base_at_the_same_level(tmp_path, monkeypatch, capsys):
    for level, base, ours in (("a", (0.1, 0.2), (0.3, 0.5)), ("b", (0.5, 0.5), (0.5, 0.5))):
        (tmp_path / level).mkdir()
        lines = [line(f"base, {level}", seed, "classifier", value, level) for seed, value in enumerate(base)]
        lines += [line(f"full, {level}", seed, "student", value, level) for seed, value in enumerate(ours)]
        (tmp_path / level / "ablation.csv").write_text(HEAD + "".join(lines))
    (tmp_path / "further").mkdir()
    (tmp_path / "further" / "ablation.csv").write_text(HEAD + line("another=1", 1, "classifier", 0.3, "a"))
    output = tmp_path / "stress.json"
    monkeypatch.setattr("sys.argv", ["stress.py", f"--output={output}", f"CUB100={tmp_path}"])
    assert run_command(stress.main) == 0
    found = json.loads(output.read_text())
    rows = [[cell.text for cell in row] for row in stress.table(found).rows]
    assert [(row[1], row[2], row[3], row[7]) for row in rows] == [
        ("base, a", "classifier", "2", "15.0 ± 7.1"), ("full, a", "student", "2", "40.0 ± 14.1"),
        ("another=1", "classifier", "1", "30.0"), ("base, b", "classifier", "2", "50.0 ± 0.0"), ("full, b", "student", "2", "50.0 ± 0.0"),
    ]  # fmt: skip
    assert rows[1][11] == "+25.0" and rows[4][11] == "+0.0" and rows[0][11] == "—" and rows[2][11] == "+10.0"
    assert [row[4] for row in rows] == ["2", "2", "1", "2", "2"]
    last_epochs = line("base, a", 0, "classifier", 0.1, "a").replace(",0.1,True", ",,True")  # where nothing was calibrated
    (tmp_path / "a" / "ablation.csv").write_text(HEAD + last_epochs)
    (row,) = stress.table({"CUB100": stress.cells(tmp_path / "a")}).rows
    assert (row[7].text, row[8].text) == ("10.0", "—")
    monkeypatch.setattr("sys.argv", ["stress.py", f"--output={output}", f"CUB100={tmp_path / 'none'}"])
    assert run_command(stress.main) == 2 and "there is no folder" in capsys.readouterr().err


def test_cells_of_one_name_are_of_one_data(tmp_path, monkeypatch, capsys):
    for data in ("a", "b"):
        (tmp_path / data).mkdir()
        (tmp_path / data / "ablation.csv").write_text(HEAD + line("another=1", 0, "classifier", 0.3, data))
    monkeypatch.setattr("sys.argv", ["stress.py", f"--output={tmp_path / 'stress.json'}", f"CUB100={tmp_path}"])
    assert run_command(stress.main) == 2 and "'another=1' too, of other data" in capsys.readouterr().err


def test_levels_of_one_data_have_each_their_base(tmp_path):
    of = {"base, wgan": 0.5, "full, wgan": 0.52, "base, free": 0.1, "full, free": 0.12, "another=1": 0.3}
    (tmp_path / "ablation.csv").write_text(HEAD + "".join(line(cell, 0, "classifier", value, "a") for cell, value in of.items()))
    rows = {row[1].text: row[11].text for row in stress.table({"CUB100": stress.cells(tmp_path)}).rows}
    assert rows == {"base, wgan": "—", "full, wgan": "+2.0", "base, free": "—", "full, free": "+2.0", "another=1": "—"}
