"""Preparation of pictures, beside what torchvision and transformers make of them."""

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.encoders.transform import Transform, of_fields
from d3gzsl_jax.errors import UserError


def noise(width, height):
    return Image.fromarray(np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8))


PICTURES = [noise(80, 60), noise(51, 97), noise(32, 32), noise(1, 1), noise(5, 300)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_cropped_as_torchvision_does(interpolation):
    torchvision = pytest.importorskip("torchvision", exc_type=ImportError)
    of, mode = torchvision.transforms, getattr(torchvision.transforms.InterpolationMode, interpolation.upper())
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    theirs = of.Compose([of.Resize(37, mode), of.CenterCrop(32), of.ToTensor(), of.Normalize(mean, std)])
    ours = Transform(32, 32, 37, interpolation, "crop", mean, std)
    for picture in PICTURES:
        np.testing.assert_allclose(ours(picture), theirs(picture).numpy(), atol=1e-6)


def test_squashed_and_padded():
    ours = Transform(8, 16, 8, "bilinear", "squash", (0.0,) * 3, (1.0,) * 3)
    expected = np.asarray(PICTURES[0].resize((16, 8), Image.Resampling.BILINEAR), np.float32).transpose(2, 0, 1) / 255
    np.testing.assert_array_equal(ours(PICTURES[0]), expected)
    padded = Transform(16, 16, 16, "nearest", "pad", (0.2, 0.4, 0.6), (1.0,) * 3)(Image.new("RGB", (32, 16), (255, 255, 255)))
    np.testing.assert_allclose(padded[:, 0, 0], 0, atol=1e-6)
    np.testing.assert_allclose(padded[:, 8, 8], [0.8, 0.6, 0.4], atol=1e-6)
    assert Transform(9, 9, 9, mean=(0.5,), std=(0.5,))(PICTURES[0]).shape == (1, 9, 9)


def test_it_tells_what_it_does():
    assert Transform(224, 200, 256).described() == (
        "shorter side resized to 256 pixels (bilinear), the middle 200 x 224 cut out; values from 0 to 1, less 0.485, 0.456, 0.406, "
        "over 0.229, 0.224, 0.225"
    )
    assert Transform(8, 8, 8, "nearest", "squash", (0.0,), (1.0,)).described() == (
        "resized to 8 x 8 pixels (nearest), whatever the proportions; values from 0 to 1, less 0, over 1"
    )
    assert "cut out, the mean colour where it is smaller; values" in Transform(8, 8, 6).described()
    assert Transform(8, 8, 8, "box", "pad").described().startswith("longer side resized to fit 8 x 8 pixels (box), the rest in the mean colour")


def test_a_thread_of_pixels_is_not_enlarged_as_a_whole():
    assert Transform(224, 224, 256)(noise(1, 60_000)).shape == (3, 224, 224)


def test_fields_by_name():
    found = of_fields({"size": "32", "mean": "0,0.5,1", "std": [1, 2, 3], "fit": "squash"}, "net.onnx")
    assert found == Transform(32, 32, 36, "bilinear", "squash", (0, 0.5, 1), (1, 2, 3))
    assert of_fields(found.notes(), "net.onnx") == found


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"crop": 3}, "there is no 'crop'"),
        ({"size": "big"}, "size='big'|height='big'"),
        ({"resize": 0}, "resize=0: expected a whole number"),
        ({"size": 10**9}, "1 to 4096"),
        ({"mean": "0,x,1"}, "mean='0,x,1'"),
        ({"mean": 3}, "mean=3"),
        ({"mean": "0,1"}, "need 3 numbers"),
        ({"std": "1,0,1"}, "above 0"),
        ({"std": "nan,1,1"}, "std='nan,1,1'"),
        ({"interpolation": "cubic"}, "bilinear, bicubic"),
        ({"fit": "stretch"}, "crop, squash, pad"),
    ],
)
def test_fields_that_mean_nothing_are_refused(fields, told):
    with pytest.raises(UserError, match=told):
        of_fields(fields, "net.onnx")
