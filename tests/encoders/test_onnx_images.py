"""Networks of any layout, type and output as image encoders."""

import json

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.encoders.images import image_encoder, image_encoder_of
from d3gzsl_jax.errors import UserError
from tests.encoders.real_encoders import MISSING

onnx = pytest.importorskip("onnx", reason=MISSING)
pytest.importorskip("onnxruntime", reason=MISSING)
from onnx import TensorProto, helper  # noqa: E402

PICTURES = [Image.new("RGB", (12, 9), colour) for colour in ((255, 0, 51), (0, 102, 255), (7, 8, 9))]


def write(path, shape=("n", 3, 8, 8), kind=TensorProto.FLOAT, axes=(2, 3), metadata=None, keep=0):
    """A network whose features are the mean colours."""
    nodes = [helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("ReduceMean", ["numbers"], ["features"], axes=list(axes), keepdims=keep))
    nodes.append(helper.make_node("Neg", ["features"], ["negative"]))
    nodes.append(helper.make_node("Identity", ["numbers"], ["all"]))
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("features", "negative", "all")]
    graph = helper.make_graph(nodes, "means", [helper.make_tensor_value_info("pictures", kind, shape)], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata is not None:
        helper.set_model_props(model, {"d3gzsl_transform": metadata})
    onnx.save(model, path)
    return path


PLAIN = json.dumps({"mean": [0, 0, 0], "std": [1, 1, 1]})
COLOURS = np.array([[255, 0, 51], [0, 102, 255], [7, 8, 9]]) / 255


@pytest.mark.parametrize(
    ("of", "scale"),
    [
        ({}, 1), ({"shape": ("n", 8, 8, 3), "axes": (1, 2)}, 1), ({"shape": (2, 3, 8, 8)}, 1), ({"shape": ("n", 3, "h", "w")}, 1),
        ({"shape": ("n", "c", "h", "w")}, 1), ({"kind": TensorProto.FLOAT16}, 1), ({"kind": TensorProto.DOUBLE}, 1),
        ({"kind": TensorProto.UINT8}, 255), ({"axes": (3,), "keep": 1}, 1), ({"shape": ("n", 8, 8, 3), "axes": (1,), "keep": 1}, 1),
    ],
    ids=["usual", "channels last", "two at once", "any size", "any", "float16", "float64", "uint8", "with space", "last with space"],
)  # fmt: skip
def test_layouts_and_types(tmp_path, of, scale):
    encoder = image_encoder(f"onnx:{write(tmp_path / 'net.onnx', metadata=PLAIN, **of)}")
    assert encoder.size == 3
    np.testing.assert_allclose(encoder.encode(PICTURES), COLOURS * scale, atol=1e-3 * scale)
    assert encoder.notes()["transform"]["height"] == (8 if 8 in of.get("shape", (8,)) else 224)


def weighted(path, value, location):
    """A network with a weight that lies in a file of its own."""
    weight = onnx.numpy_helper.from_array(np.full((1, 3, 1, 1), value, np.float32), "weight")
    nodes = [helper.make_node("Mul", ["pictures", "weight"], ["more"]), helper.make_node("ReduceMean", ["more"], ["features"], axes=[2, 3], keepdims=0)]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)] for name, shape in (("pictures", ("n", 3, 8, 8)), ("features", None))]
    graph = helper.make_graph(nodes, "weighted", *ends, initializer=[weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    return path


@pytest.mark.parametrize("location", ["net.onnx.data", "weights.bin", "w" * 200 + ".bin"])
def test_weights_in_other_files_are_part_of_the_digest(tmp_path, location):
    one, same, other = (
        image_encoder(f"onnx:{weighted(tmp_path / name / 'net.onnx', value, location)}") for name, value in (("a", 1.0), ("b", 1.0), ("c", 2.0))
    )
    assert (tmp_path / "a" / "net.onnx").read_bytes() == (tmp_path / "c" / "net.onnx").read_bytes()
    assert one.notes()["sha256"] == same.notes()["sha256"] != other.notes()["sha256"]
    assert one.notes()["sha256"] == weights.of_files([tmp_path / "a" / "net.onnx", tmp_path / "a" / location])
    with pytest.raises(UserError, match="its weights differ"):
        image_encoder_of(one.notes(), f"onnx:{tmp_path / 'c' / 'net.onnx'}")


def test_grey_pictures(tmp_path):
    encoder = image_encoder(f"onnx:{write(tmp_path / 'net.onnx', shape=('n', 1, 8, 8))}")
    grey = np.array([[picture.convert("L").getpixel((0, 0)) / 255] for picture in PICTURES])
    np.testing.assert_allclose(encoder.encode(PICTURES), grey, atol=1e-6)


def test_options_go_before_the_files_own_and_those_before_imagenet(tmp_path):
    path = write(tmp_path / "net.onnx")
    usual = (COLOURS - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(image_encoder(f"onnx:{path}").encode(PICTURES), usual, atol=1e-5)
    write(path, metadata=PLAIN)
    encoder = image_encoder(f"onnx:{path}?mean=1,1,1&output=negative&threads=2&resize=20")
    np.testing.assert_allclose(encoder.encode(PICTURES), 1 - COLOURS, atol=1e-6)
    again = image_encoder_of(encoder.notes())
    assert again.notes() == encoder.notes() and encoder.notes()["transform"]["resize"] == 20
    asked = image_encoder(f"onnx:{write(tmp_path / 'what?size=3.onnx')}?mean=1,1,1")
    assert image_encoder_of(asked.notes()).notes() == asked.notes()
    moved = path.rename(tmp_path / "moved.onnx")
    with pytest.raises(UserError, match="no such file"):
        image_encoder_of(encoder.notes())
    with pytest.raises(UserError, match="preparation of pictures differ"):
        image_encoder_of(encoder.notes(), f"onnx:{moved}")
    assert image_encoder_of(encoder.notes(), f"onnx:{moved}?mean=1,1,1&output=negative&resize=20").size == 3


@pytest.mark.parametrize(
    ("of", "options", "told"),
    [
        ({"shape": ("n", 3), "axes": (1,)}, "", "takes pictures alone"), ({"shape": ("n", 5, 8, 8)}, "", "5 channels"),
        ({"kind": TensorProto.INT64}, "", "takes pictures alone"), ({}, "?output=x", "has no output 'x'; it has features"),
        ({"axes": (3,)}, "", "need a row of numbers a picture"), ({"metadata": "[1]"}, "", "no JSON object"),
        ({"metadata": "{"}, "", "no JSON object"), ({"metadata": '{"zoom": 2}'}, "", "there is no 'zoom'"),
        ({}, "?mean=1", "need 3 numbers"), ({}, "?threads=0", "threads='0'"), ({}, "?mean=1&std=1", "need 3 numbers each"),
        ({}, "?size=32", "size='32': the network itself has height 8 and width 8; leave it out"),
        ({"shape": ("n", 3, "h", 8)}, "?width=9", "width='9': the network itself has width 8"),
    ],
)  # fmt: skip
def test_networks_that_cannot_be_used_are_refused_in_a_line(tmp_path, of, options, told):
    with pytest.raises(UserError, match=told) as refused:
        image_encoder(f"onnx:{write(tmp_path / 'net.onnx', **of)}{options}")
    assert "net.onnx" in str(refused.value) and "\n" not in str(refused.value)


def test_an_unknown_option_is_told_what_may_be_given(tmp_path):
    with pytest.raises(UserError) as refused:
        image_encoder(f"onnx:{write(tmp_path / 'net.onnx')}?zoom=2")
    told = str(refused.value)
    assert told.startswith(f"{tmp_path / 'net.onnx'}: there is no 'zoom'; there are size (or height and width, of a network that takes any; ")
    for part in ("resize (of the shorter side before the middle is cut out; default size / 0.875)", "fit (crop, squash or pad; default crop)",
                 "output (by name; default the first)", "threads (default 1)"):  # fmt: skip
        assert part in told
    write(tmp_path / "net.onnx", metadata='{"zoom": 2}')
    with pytest.raises(UserError, match=r"there is no 'zoom'; there are size .*std \(default [^)]*\)$"):  # of the transform alone
        image_encoder(f"onnx:{tmp_path / 'net.onnx'}")


def test_sizes_are_for_networks_that_take_any(tmp_path):
    path = write(tmp_path / "net.onnx", shape=("n", 3, "h", "w"))
    assert image_encoder(f"onnx:{path}?height=16&width=24").transform.resize == 24 * 8 // 7
    assert image_encoder(f"onnx:{write(tmp_path / 'eight.onnx')}?size=8").transform.height == 8


def test_files_that_are_no_networks_are_refused(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"no network")
    for spec, told in (("net.onnx", "cannot be read as a network"), ("nowhere.onnx", "no such file")):
        with pytest.raises(UserError, match=told):
            image_encoder(f"onnx:{tmp_path / spec}")
