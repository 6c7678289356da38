"""The three commands of the README, from digits as PNG files and sentences to a page of predictions, with real encoders."""

import json
import shutil

import pytest

from d3gzsl_jax.main import main
from tests.encoders.real_encoders import lite_onnx, minilm  # noqa: F401 - fixtures
from tools.pictures import digits
from tools.pictures.folder import write

SHORT = ("train.outer_steps=20", "train.epochs=2", "eval.every_epochs=1", "eval.folds=1", "eval.baselines=eszsl,class_norm")


@pytest.mark.slow
def test_from_pictures_and_sentences_to_a_page_of_predictions(tmp_path, lite_onnx, minilm):  # noqa: F811
    write(tmp_path / "digits", digits.drawn(per_digit=40, new_per_digit=20))
    pictures = tmp_path / "digits" / "pictures"
    for name in ("three", "six", "nine"):  # with pictures, so that it is known how they are recognised
        shutil.copytree(tmp_path / "digits" / "new" / name, pictures / name)
    classes, benchmark, run = tmp_path / "digits" / "classes.csv", tmp_path / "digits.npz", tmp_path / "run"
    encoders = (f"--image-encoder={lite_onnx}", f"--text-encoder={minilm}", "--unseen=three,six,nine")
    assert main(["embed", f"--images={pictures}", f"--classes={classes}", f"--output={benchmark}", *encoders]) in (0, None)
    fields = [f"--config.{field}" for field in SHORT]
    assert main(["train", "--config=own", f"--config.data.root={benchmark}", f"--workdir={run}", *fields]) in (0, None)
    results = json.loads((run / "results.json").read_text())
    u, s, h = (results["metrics"][name] for name in ("unseen", "seen", "harmonic"))
    assert h == pytest.approx(2 * u * s / (u + s) if u + s else 0.0) and 0.0 <= results["metrics"]["zsl"] <= 1.0
    assert set(results["baselines"]) == {"eszsl", "class_norm"}
    page, table = tmp_path / "predictions.html", tmp_path / "new.json"
    new = tmp_path / "digits" / "new"
    assert main(["predict", f"--workdir={run}", f"--images={new}", f"--output={table}", f"--gallery={page}", "--top=3"]) in (0, None)
    rows = json.loads(table.read_text())
    assert len(rows) == 60 and {row["truth"]["name"] for row in rows} == {"three", "six", "nine"}
    assert page.read_text().count("data:image/") >= 60
