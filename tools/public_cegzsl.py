"""Times critic updates of the public CE-GZSL code (Hanzy1996/CE-GZSL), run unmodified from a checkout. Needs torch, not JAX.

    python tools/public_cegzsl.py DIR --updates 2

Its script is run with its own default options, which are those for CUB with sentence vectors (batch 2048, comparator 2048 wide, 150
seen classes), on simulated data of CUB's size. What is around it: moving to CUDA does nothing; every step of its first optimiser is
timed; after so many it is stopped. An update is what lies between the ends of two steps. Prints JSON: seconds per critic update.
"""

import argparse
import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.io


class _Enough(Exception):
    """Ends the script."""


def write_data(folder: Path) -> None:
    """Simulated features and sentence vectors of CUB's size, 1-based, in the layout the script reads."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(200), 59)[:11788]
    seen = rng.permutation(np.flatnonzero(labels < 150))
    trainval, test_seen = seen[:7057], seen[7057:]
    folder.mkdir(parents=True)
    features = rng.random((2048, len(labels)), np.float32)
    images = np.array([f"{i:05d}.jpg" for i in range(len(labels))], object)[:, None]
    scipy.io.savemat(folder / "res101.mat", {"features": features, "labels": labels[:, None] + 1, "image_files": images})
    location = lambda rows: rows[:, None] + 1  # noqa: E731
    scipy.io.savemat(
        folder / "sent_splits.mat",
        {
            "att": rng.normal(size=(1024, 200)), "trainval_loc": location(trainval), "train_loc": location(trainval),
            "val_unseen_loc": location(test_seen), "val_loc": location(test_seen), "test_seen_loc": location(test_seen),
            "test_unseen_loc": location(np.flatnonzero(labels >= 150)),
        },
    )


def critic_seconds(checkout: Path, updates: int) -> list[float]:
    """Seconds of each of `updates` critic updates, the first of all left out."""
    import torch

    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *args, **kwargs: self
    ends: list[float] = []
    plain = torch.optim.Adam.step

    def timed(self: torch.optim.Adam, *args: object, **kwargs: object) -> object:
        result = plain(self, *args, **kwargs)
        ends.append(time.perf_counter())
        if len(ends) > updates:
            raise _Enough
        return result

    torch.optim.Adam.step = timed
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder) / "data" / "CUB")
        os.chdir(folder)
        sys.path.insert(0, str(checkout))
        sys.argv = ["CE_GZSL.py", "--dataroot", "data"]
        with contextlib.suppress(_Enough), contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(str(checkout / "CE_GZSL.py"), run_name="__main__")
        os.chdir(checkout)
    return list(np.diff(ends))


def main() -> int:
    """Prints the timing; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="folder of the public code")
    parser.add_argument("--updates", type=int, default=2, help="critic updates to time, at most 4 (the generator's turn is next)")
    arguments = parser.parse_args()
    if not (arguments.checkout / "CE_GZSL.py").is_file():
        print(f"public_cegzsl: {arguments.checkout}: holds no CE_GZSL.py; name a checkout of the public code", file=sys.stderr)
        return 2
    if not 1 <= arguments.updates <= 4:
        print(f"public_cegzsl: --updates {arguments.updates}: must be 1 to 4", file=sys.stderr)
        return 2
    try:
        import torch
    except ImportError:
        print("public_cegzsl: torch is not installed here: pip install torch h5py scikit-learn scipy", file=sys.stderr)
        return 2
    seconds = critic_seconds(arguments.checkout.resolve(), arguments.updates)
    print(json.dumps({"critic_seconds": seconds, "torch": torch.__version__, "threads": torch.get_num_threads()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
