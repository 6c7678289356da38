"""The notebook examples/own_pictures.ipynb runs from top to bottom, on shapes, with encoders that need no download."""

from pathlib import Path

import pytest

from tests.encoders.real_encoders import MISSING, lite_onnx, minilm  # noqa: F401 - fixtures

NOTEBOOK = Path(__file__).parents[2] / "examples" / "own_pictures.ipynb"


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, lite_onnx, minilm):  # noqa: F811
    nbformat = pytest.importorskip("nbformat", reason=MISSING)
    nbclient = pytest.importorskip("nbclient", reason=MISSING)
    pytest.importorskip("ipykernel", reason=MISSING)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # kept without what a run of it printed
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ()))
    fields = {"train.outer_steps": 20, "train.epochs": 2, "eval.every_epochs": 1, "eval.folds": 1, "eval.baselines": "eszsl"}
    parameters.source += "\n" + "\n".join(
        f"{name} = {value!r}"
        for name, value in {
            "IMAGE_ENCODER": lite_onnx, "TEXT_ENCODER": minilm, "FOLDER": str(tmp_path / "made"), "FIELDS": fields,
            "TOOL": str(NOTEBOOK.parents[1] / "tools" / "pictures" / "shapes.py"),
        }.items()
    )  # fmt: skip
    where = {"metadata": {"path": str(NOTEBOOK.parent)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    made = tmp_path / "made"
    assert (made / "predictions.html").is_file() and (made / "with-star").is_dir()
    printed = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "unseen:" in printed
