"""A digit that a model learns after training, from its strokes alone: files to try it with, and how well it is then recognised.

    python tools/digits/new_digit.py --digit 9 --write FOLDER     # FOLDER/9.csv, its name and strokes; FOLDER/9.npy, images of it
    python tools/digits/new_digit.py --seeds 5                    # trains without 3, 6 or 9, adds it, and predicts its images

The images are all there are of the digit; none of them is seen in training or when the digit is added.
"""

import csv
import io
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rich.table import Table

from d3gzsl_jax import api
from d3gzsl_jax.data.digits import ATTRIBUTES, UNSEEN, read_digits
from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.studies.own_outputs import bytes_of
from d3gzsl_jax.studies.tables.cells import with_deviation
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import replacing
from d3gzsl_jax.system.options import Parser, whole
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.text import csv_row

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "digits.py"


def write(digit: int, folder: Path) -> None:
    """Writes the files of a digit.

    Raises:
        UserError: they cannot be written.
    """
    data, folder = read_digits(), paths.clean(folder, "--write")
    strokes, images = io.StringIO(newline=""), io.BytesIO()
    lines = [["name", *ATTRIBUTES], [f"digit {digit}", *data.semantics[digit].astype(int).tolist()]]
    csv.writer(strokes).writerows(map(csv_row, lines))
    np.save(images, data.features[data.labels == digit])
    made = {"csv": strokes.getvalue().encode(), "npy": images.getvalue()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(f"--write={folder}", error) from None
    targets = {
        kind: contents.output(folder / f"{digit}.{kind}", "--write", bytes_of(content), "file of this digit")
        for kind, content in made.items()
    }
    for kind, target in targets.items():
        with replacing(target, "wb") as file:
            file.write(made[kind])
    print(f"wrote {folder / f'{digit}.csv'} and {folder / f'{digit}.npy'} ({int((data.labels == digit).sum())} images)")


def measure(digit: int, seed: int, folder: str) -> tuple[float, float, float]:
    """Trains without the digit and adds it. Shares of right predictions among all ten digits: of its images, and of test rows of
    the other digits after and before it was added (mean over classes)."""
    whole = read_digits()
    config = api.load_config(CONFIG, {"seed": seed, "data.leave_out": str(digit), "log.report": False})
    data = api.load_data(config)
    model = api.train(config, data, folder, display=Display(Console(quiet=True))).model
    grown = model.add_classes(whole.semantics[[digit]], (f"digit {digit}",), data)
    found = grown.predict(whole.features[whole.labels == digit]).classes[:, 0]
    rows = np.concatenate([data.test_seen, data.test_unseen])

    def accuracy(model: api.TrainedModel) -> float:
        hits = model.predict(data.features[rows], predictor="classifier").classes[:, 0] == data.labels[rows]
        return float(np.mean([hits[data.labels[rows] == label].mean() for label in range(data.class_count)]))

    return float(np.mean(found == data.class_count)), accuracy(grown), accuracy(model)


def main(argv: list[str] | None = None) -> int:
    """Writes or measures; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--digit", type=int, choices=UNSEEN, default=9)
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    parser.add_argument("--seeds", type=whole(1), default=0, metavar="N", help="measure with seeds 0..N-1")
    args = parser.parse_args(argv)
    if not args.write and not args.seeds:
        raise UserError("give --write=FOLDER, --seeds=N, or both: there is nothing to do")
    configure()
    if args.write:
        write(args.digit, args.write)
    table = Table(title="Percent, mean and standard deviation (n - 1) over seeds; chance is 10")
    for heading in ("added digit", "recognised as itself", "other digits", "other digits before"):
        table.add_column(heading, justify="right")
    for digit in UNSEEN if args.seeds else ():
        rows = []
        for seed in range(args.seeds):
            with tempfile.TemporaryDirectory() as folder:
                rows.append(measure(digit, seed, folder))
            print(f"digit {digit}, seed {seed}: recognised {100 * rows[-1][0]:.1f}", flush=True)
        table.add_row(str(digit), *map(with_deviation, 100 * np.array(rows).T))
    if args.seeds:
        Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
