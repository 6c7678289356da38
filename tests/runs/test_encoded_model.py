"""Features and semantics of files, and whether the encoders of a model made them."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import finish
from d3gzsl_jax.runs.encoded_model import check_made_alike

IMAGE = {"kind": "onnx", "name": "net.onnx", "sha256": "a" * 64, "transform": {"size": 224}, "output": "y", "size": 4}
TEXT = {"kind": "sentence-transformers", "name": "mini", "sha256": "b" * 64, "size": 3}
MODEL = SimpleNamespace(encoders={"image": IMAGE, "text": TEXT}, class_names=("a",))


def written(folder, encoders):
    path = folder / "rows.npz"
    further = {} if encoders is None else {"encoders": np.array(json.dumps(encoders))}
    np.savez(path, features=np.zeros((2, 4)), semantics=np.zeros((2, 3)), **further)
    return path


@pytest.mark.parametrize(
    ("side", "other", "what"),
    [
        ("image", IMAGE | {"sha256": "c" * 64, "name": "other.onnx"}, "its features .* another image encoder .* 'other.onnx', not 'net.onnx', by weights"),
        ("image", IMAGE | {"transform": {"size": 96}}, "its .* by preparation of pictures"),
        ("image", {"kind": "clip", "name": "B/32"}, "its .* 'B/32', not 'net.onnx', by kind"),
        ("text", TEXT | {"sha256": "d" * 64}, "its semantics .* another text encoder"),
    ],
)  # fmt: skip
def test_what_another_encoder_made_is_refused(tmp_path, side, other, what):
    with pytest.raises(UserError, match=rf"rows.npz: {what}") as refused:
        check_made_alike(MODEL, written(tmp_path, {side: other}), side)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("noted", [None, {}, {"image": None}, {"image": IMAGE, "text": TEXT}, {"image": {"name": "of a friend"}}])
def test_nothing_is_said_of_the_same_encoder_or_an_unknown_one(tmp_path, noted):
    path = written(tmp_path, noted)
    check_made_alike(MODEL, path, "image")
    check_made_alike(MODEL, path, "text")
    check_made_alike(SimpleNamespace(encoders=None, class_names=()), path, "image")


def test_of_other_formats_nothing_is_known(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((2, 4)))
    check_made_alike(MODEL, tmp_path / "rows.npy", "image")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "got null"), ('{"image": "resnet101"}', r"got str - at \$\.image"), ('{"text": ["mini"]}', r"got array - at \$\.text"),
        ('{"image": null, "attribute_names": [1]}', r"got int - at \$\.attribute_names"),
    ],
)  # fmt: skip
def test_notes_that_are_none_are_refused(tmp_path, text, told):
    path = tmp_path / "rows.npz"
    np.savez(path, encoders=np.array(text))
    with pytest.raises(UserError, match=f"rows.npz: 'encoders': need the JSON object .*{told}") as refused:
        check_made_alike(MODEL, path, "image")
    assert "\n" not in str(refused.value)


def test_a_model_keeps_only_notes_that_can_be_read():
    """Of data made by hand nothing is known of what stands under 'encoders'."""
    for encoders, kept in (({"image": IMAGE, "text": None}, True), ({"image": "resnet101"}, False), ("resnet101", False), (None, False)):
        assert finish._encoders(SimpleNamespace(provenance={"encoders": encoders})) == (encoders if kept else None)
