"""Encoders of pictures and texts by spec: what they give, that they give it again, and what is refused."""

import json
import re
import sys

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.encoders.clip import _transform
from d3gzsl_jax.encoders.feature_cache import FeatureCache
from d3gzsl_jax.encoders.images import image_encoder, image_encoder_of
from d3gzsl_jax.encoders.texts import text_encoder, text_encoder_of
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.extras import install_command
from tests.encoders.clip_folder import write_clip
from tests.encoders.real_encoders import MISSING

NO_TORCH = {"reason": MISSING, "exc_type": ImportError}


@pytest.fixture(scope="module")
def photos():
    from sklearn.datasets import load_sample_images

    return [Image.fromarray(image) for image in load_sample_images().images]


def check_made_again(encoder, again, inputs):
    """The same rows, whatever is beside them and however often."""
    rows = encoder.encode(inputs)
    assert rows.shape == (len(inputs), encoder.size) and rows.dtype == np.float32 and np.isfinite(rows).all()
    np.testing.assert_array_equal(encoder.encode(iter(inputs) if isinstance(inputs[0], Image.Image) else inputs), rows)
    np.testing.assert_allclose(encoder.encode(inputs[:1])[0], rows[0], atol=1e-4)
    assert encoder.encode(inputs[:0]).shape == (0, encoder.size)
    notes = json.loads(json.dumps(encoder.notes()))
    np.testing.assert_array_equal(again(notes).encode(inputs), rows)
    with pytest.raises(UserError, match="its weights differ from those"):
        again(notes | {"sha256": "0" * 64})
    return rows


def test_the_real_network_tells_pictures_apart(lite_onnx, photos):
    encoder = image_encoder(lite_onnx)
    rows = check_made_again(encoder, image_encoder_of, photos)
    assert encoder.size == 1280
    turned = encoder.encode([photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for photo in photos])
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    likeness = unit(rows) @ unit(turned).T
    assert likeness.diagonal().min() > 0.8 > 0.4 > max(likeness[0, 1], likeness[1, 0])  # a temple, a flower


def test_the_real_sentence_encoder_knows_what_is_alike(minilm):
    encoder = text_encoder(minilm)
    rows = check_made_again(encoder, text_encoder_of, ["a striped horse", "an animal like a zebra", "a kitchen table"])
    assert encoder.too_long(["a horse", "a horse " * 300, "zebra " * 100]) == 1
    assert encoder.size == 384 and rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


@pytest.mark.parametrize("siglip", [False, True], ids=["clip", "siglip"])
def test_both_sides_of_clip(tmp_path, photos, siglip):
    pytest.importorskip("transformers", **NO_TORCH)
    torch = pytest.importorskip("torch", **NO_TORCH)
    folder = write_clip(tmp_path / "model", siglip=siglip)
    images, texts = image_encoder(f"clip:{folder}"), text_encoder(f"clip:{folder}")
    rows = check_made_again(images, image_encoder_of, photos)
    words = check_made_again(texts, text_encoder_of, ["a ring", "two bows " * 50])
    assert rows.shape[1] == words.shape[1] == images.size and texts.too_long(["a ring", "two bows " * 50]) == 1
    import transformers

    whole = transformers.AutoModel.from_pretrained(folder)
    pixels = torch.from_numpy(np.stack([images.transform(photo) for photo in photos]))
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        "a ring", return_tensors="pt", **({"padding": "max_length", "max_length": 16} if siglip else {})
    )
    with torch.inference_mode():
        found = whole(input_ids=tokens["input_ids"], pixel_values=pixels)
    cosines = (found.image_embeds @ found.text_embeds.T).numpy()[:, 0]
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)  # noqa: E731
    np.testing.assert_allclose(unit(rows) @ unit(words)[0], cosines, atol=1e-5)


def test_timm_with_weights_of_a_file(tmp_path, photos):
    timm = pytest.importorskip("timm", reason="timm needs torchvision, which is not installed here", exc_type=ImportError)
    torch = pytest.importorskip("torch", **NO_TORCH)
    torch.manual_seed(0)
    model = timm.create_model("resnet10t", pretrained=False)
    file = tmp_path / "weights.pth"
    torch.save(model.state_dict(), file)
    encoder = image_encoder(f"timm:resnet10t@{file}")
    rows = check_made_again(encoder, image_encoder_of, photos)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    pixels = torch.stack([transform(photo) for photo in photos])
    with torch.inference_mode():
        expected = model.eval().forward_head(model.forward_features(pixels), pre_logits=True).numpy()
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    for change, told in (({"conv1.0.weight": torch.zeros(2)}, "has shape"), ({"other.weight": torch.zeros(2)}, "has no place")):
        torch.save(model.state_dict() | change, file)
        with pytest.raises(UserError, match=told):
            image_encoder(f"timm:resnet10t@{file}")
    file.write_bytes(b"no weights")
    for spec, told in (
        (f"timm:resnet10t@{file}", "cannot be read as weights"), ("timm:resnet10t@nowhere.pth", "no such file"),
        ("timm:resnet10x", "has no such model; it has .*resnet"), ("resnet101", "resnet101.tv_in1k: cannot be loaded"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=told) as refused:
            image_encoder(spec)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize("fields", [{"do_rescale": False}, {"do_resize": False}, {"rescale_factor": 1}, {"size": {"longest_edge": 9}}])
def test_a_preparation_of_clip_that_is_not_done_here_is_refused(fields):
    usual = {"size": {"shortest_edge": 8}, "rescale_factor": 0.00392156862745098, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    assert _transform(usual).resize == 8
    with pytest.raises(ValueError, match=next(iter(fields))):
        _transform(usual | fields)


def test_networks_of_timm_that_take_the_same_weights_are_told_apart(tmp_path):
    timm = pytest.importorskip("timm", reason="timm needs torchvision, which is not installed here", exc_type=ImportError)
    import torch

    torch.save(timm.create_model("efficientnet_b0", pretrained=False).state_dict(), tmp_path / "weights.pth")
    one, other = (image_encoder(f"timm:{name}@{tmp_path / 'weights.pth'}") for name in ("efficientnet_b0", "tf_efficientnet_b0"))
    cache = FeatureCache(tmp_path / "cache", one.notes(), 2)
    cache.add(["a"], np.ones((1, 2), np.float32))
    assert "a" in FeatureCache(tmp_path / "cache", one.notes(), 2)
    assert "a" not in FeatureCache(tmp_path / "cache", other.notes(), 2)
    with pytest.raises(UserError, match="its network differ from those of the image encoder"):
        weights.check(one.notes(), other.notes(), "image encoder")
    earlier = {key: value for key, value in one.notes().items() if key != "architecture"}
    weights.check(earlier, one.notes(), "image encoder")


@pytest.mark.parametrize("spec", ["", "resnet", "torch:x", "timm:", "onnx", "sentence-transformers:x"])
def test_what_names_no_encoder_is_refused(spec):
    with pytest.raises(UserError, match="resnet101, timm:NAME, timm:NAME@WEIGHTS_FILE, onnx:FILE or clip:NAME_OR_FOLDER"):
        image_encoder(spec)
    if spec != "sentence-transformers:x":
        with pytest.raises(UserError, match="expected sentence-transformers:NAME_OR_FOLDER or clip:NAME_OR_FOLDER"):
            text_encoder(spec)
    for again in (image_encoder_of, text_encoder_of):
        with pytest.raises(UserError, match="notes name no encoder"):
            again({})


def test_models_that_are_not_there_are_refused_in_a_line(tmp_path):
    pytest.importorskip("sentence_transformers", **NO_TORCH)
    (tmp_path / "empty").mkdir()
    for make, spec in (
        (text_encoder, f"sentence-transformers:{tmp_path / 'empty'}"), (text_encoder, "sentence-transformers:no/such-model"),
        (text_encoder, f"clip:{tmp_path / 'empty'}"), (image_encoder, "clip:no/such-model"),
    ):  # fmt: skip
        with pytest.raises(UserError, match="cannot be loaded") as refused:
            make(spec)
        assert "\n" not in str(refused.value) and "offline" in str(refused.value)


@pytest.mark.parametrize(
    ("make", "spec", "module", "extra"),
    [
        (image_encoder, "resnet101", "timm", "images"), (image_encoder, "onnx:{file}", "onnxruntime", "onnx"),
        (image_encoder, "clip:x", "transformers", "clip"), (text_encoder, "sentence-transformers:x", "sentence_transformers", "text"),
    ],
)  # fmt: skip
def test_a_missing_library_is_named_with_its_extra(make, spec, module, extra, tmp_path, monkeypatch):
    (tmp_path / "net.onnx").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UserError, match=re.escape(f"{module} is not installed; {install_command(extra)}")):
        make(spec.format(file=tmp_path / "net.onnx"))
