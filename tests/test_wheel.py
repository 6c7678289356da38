"""What pip installs is whole: built, installed where no checkout is, and used from an empty folder."""

import os
import shutil
import site
import subprocess
import sys

import numpy as np
import pytest

from d3gzsl_jax.data.digits import read_digits
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

SOURCES = ("d3gzsl_jax", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def done(*command, cwd):
    """What a command prints."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    run = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, env=environment, timeout=600)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    """The bin/ of an environment that has the wheel, and for its dependencies the packages of this one."""
    source, room = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("room")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source / name)
    # The archive of sources first, and of that the wheel: as one is published.
    done(sys.executable, "-m", "build", "--no-isolation", "--outdir", room, cwd=source)
    (wheel,) = room.glob("*.whl")
    done(sys.executable, "-m", "venv", "--without-pip", room / "env", cwd=room)
    python = room / "env" / "bin" / "python"
    done(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel, cwd=room)
    (packages,) = (room / "env").glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    where = done(python, "-c", "import d3gzsl_jax; print(d3gzsl_jax.__file__)", cwd=room)
    assert where.startswith(str(packages))
    return room / "env" / "bin"


def test_a_wheel_trains_predicts_tables_and_reports_from_an_empty_folder(programs, tmp_path):
    program, here = programs / "d3gzsl", {"cwd": tmp_path}
    quick = [f"--config.{field}=2" for field in ("train.epochs", "teacher.epochs", "classifier.epochs")]
    out = done(program, "train", "--config=digits", "--workdir=run", "--config.eval.every_epochs=1", *quick, **here)
    assert "epoch 2/2" in out and (tmp_path / "run" / "results.json").is_file()
    np.save(tmp_path / "features.npy", read_digits().features[:5])
    done(program, "predict", "--workdir=run", "--input=features.npy", "--output=classes.csv", **here)
    assert len((tmp_path / "classes.csv").read_text().splitlines()) == 6
    assert "wgan" in done(program, "table", "run", **here)
    (tmp_path / "run" / "report.html").unlink()
    done(program, "report", "run", **here)
    assert "</html>" in (tmp_path / "run" / "report.html").read_text()
    assert "components: " in done(program, "ablate", "--list", **here)
    assert "--config.train.epochs=" in done(programs / "python", "-m", "d3gzsl_jax", "train", "--help", **here)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.csv", "features.npy", "run"]
