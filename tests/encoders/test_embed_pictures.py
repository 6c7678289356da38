"""Many pictures: in batches, with the broken ones refused or named, and resumed to the bit."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.encoders import embed_pictures as module
from d3gzsl_jax.encoders import feature_cache
from d3gzsl_jax.encoders.embed_pictures import embed_pictures
from d3gzsl_jax.encoders.pictures import find_pictures
from d3gzsl_jax.encoders.transform import Transform
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from tests.conftest import ROOT

QUIET = Display(quiet=True)


class Means:
    """The mean colour and, as networks' last bits do, the number of pictures in the batch."""

    size = 4
    transform = Transform(2, 2, 2)

    def __init__(self, stop_after=10**9, name="means", wait=0.0):
        self.seen, self.stop_after, self.name, self.wait = 0, stop_after, name, wait

    def notes(self):
        return {"kind": "means", "name": self.name, "spec": f"{self.name} here", "sha256": "0"}

    def encode(self, pictures):
        if self.seen >= self.stop_after:
            raise KeyboardInterrupt
        time.sleep(self.wait)
        rows = [np.asarray(picture, np.float32).mean(axis=(0, 1)) for picture in pictures]
        self.seen += len(rows)
        return np.array([[*row, len(rows)] for row in rows], np.float32).reshape(-1, 4)


def write_pictures(folder, count):
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.new("RGB", (3, 3), (number, 2 * number, 7)).save(folder / f"{number:03d}.png")


@pytest.fixture
def pictures(tmp_path):
    write_pictures(tmp_path / "pictures", 25)
    return find_pictures(tmp_path / "pictures")


def test_rows_are_in_the_order_of_the_pictures(pictures):
    found = embed_pictures(pictures[::-1], Means(), QUIET, batch=4)
    assert found.pictures == pictures[::-1] and found.skipped == []
    np.testing.assert_array_equal(found.features[:, 0], np.arange(25)[::-1])
    assert found.features.dtype == np.float32


def test_pictures_of_one_name_in_two_folders_are_two_pictures(tmp_path):
    """Also where what they are called is the same, and where one of them was done before."""
    for place, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (3, 3), (10 + place, 0, 0)).save(tmp_path / name / "1.png")
    of_folder = find_pictures(tmp_path)
    called_alike = [picture._replace(name="1.png") for picture in of_folder]
    cache = tmp_path / "cache"
    embed_pictures(of_folder[1:], Means(), QUIET, cache=cache)
    for pictures in (of_folder, called_alike, called_alike[::-1]):
        for kept in (None, cache):
            found = embed_pictures(pictures, Means(), QUIET, cache=kept)
            assert found.features[:, 0].tolist() == [10 + ord(picture.class_name) - ord("a") for picture in pictures]
    (tmp_path / "a" / "1.png").write_text("no picture")
    found = embed_pictures(called_alike, Means(), QUIET, "skip")
    assert found.features[:, 0].tolist() == [11] and [name for name, _ in found.skipped] == ["1.png"]


def test_broken_ones_are_refused_together_before_anything_is_embedded(pictures, tmp_path):
    for number in (3, 4, 5, 6):
        (tmp_path / "pictures" / f"{number:03d}.png").write_text("no picture")
    encoder = Means()
    with pytest.raises(UserError) as refused:
        embed_pictures(pictures, encoder, QUIET)
    text = str(refused.value)
    assert text.startswith("4 of 25 pictures cannot be read: '003.png' is no whole picture") and "and 1 more (006.png)" in text
    assert text.endswith("mend or remove them, or --bad=skip") and "\n" not in text and encoder.seen == 0


def test_skipped_ones_are_named(pictures, tmp_path):
    (tmp_path / "pictures" / "003.png").write_text("no picture")
    whole = (tmp_path / "pictures" / "024.png").read_bytes()
    (tmp_path / "pictures" / "024.png").write_bytes(whole[:50])  # seen to be broken when its pixels are read
    found = embed_pictures(pictures, Means(), QUIET, "skip", batch=4)
    assert [name for name, _ in found.skipped] == ["003.png", "024.png"] and len(found.features) == len(found.pictures) == 23
    assert found.skipped[0][1] == "is no whole picture (no format that Pillow knows)"
    np.testing.assert_array_equal(found.features[:, 0], np.delete(np.arange(25), [3, 24]))
    with pytest.raises(UserError, match=r"1 of 25 pictures cannot be read: '024\.png'"):
        embed_pictures([picture for picture in pictures if picture.name != "003.png"] + pictures[:1], Means(), QUIET, batch=4)
    for picture in pictures:
        picture.path.write_text("no picture")
    with pytest.raises(UserError, match="none of 25 pictures can be read"):
        embed_pictures(pictures, Means(), QUIET, "skip")


def test_a_run_that_was_stopped_goes_on_and_makes_the_same_bits(pictures, tmp_path):
    (tmp_path / "pictures" / "002.png").write_bytes((tmp_path / "pictures" / "002.png").read_bytes()[:50])
    whole = embed_pictures(pictures, Means(), QUIET, "skip", batch=4)
    with pytest.raises(KeyboardInterrupt):
        embed_pictures(pictures, Means(stop_after=11), QUIET, "skip", tmp_path / "cache", batch=4)
    encoder = Means()
    found = embed_pictures(pictures, encoder, QUIET, "skip", tmp_path / "cache", batch=4)
    assert encoder.seen == 24 - 11
    np.testing.assert_array_equal(found.features, whole.features)
    assert found.skipped == whole.skipped and found.pictures == whole.pictures
    again = Means(name="moved")
    assert len(embed_pictures(pictures, again, QUIET, "skip", tmp_path / "cache", batch=4).features) == 24 and again.seen == 0
    Image.new("RGB", (3, 3), (250, 0, 0)).save(pictures[7].path)
    changed = Means()
    found = embed_pictures(pictures, changed, QUIET, "skip", tmp_path / "cache", batch=4)
    assert changed.seen == 1 and found.features[6, 0] == 250


def test_damaged_files_of_the_cache_are_made_anew_and_others_stay(pictures, tmp_path):
    cache = tmp_path / "cache"
    whole = embed_pictures(pictures, Means(), QUIET, cache=cache)
    (kept,) = cache.glob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    np.testing.assert_array_equal(embed_pictures(pictures, Means(), QUIET, cache=cache).features, whole.features)
    assert feature_cache.is_ours(cache)
    (cache / "mine.txt").write_text("x")
    assert not feature_cache.is_ours(cache)
    feature_cache.remove(cache)
    assert os.listdir(cache) == ["mine.txt"]


@pytest.mark.slow
def test_a_killed_process_loses_no_more_than_was_not_written(pictures, tmp_path):
    script = (
        "import sys; from tests.encoders import test_embed_pictures as t; t.module._KEEP_ROWS = 4\n"
        "t.embed_pictures(t.find_pictures(sys.argv[1]), t.Means(wait=0.3), t.QUIET, cache=sys.argv[2], batch=4)"
    )
    run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "pictures"), str(tmp_path / "cache")], cwd=ROOT)
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "cache").glob("*.npz"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    encoder = Means()
    found = embed_pictures(pictures, encoder, QUIET, cache=tmp_path / "cache", batch=4)
    assert encoder.seen <= 25 - 8
    np.testing.assert_array_equal(found.features, embed_pictures(pictures, Means(), QUIET, batch=4).features)


def test_the_time_left_is_shown(pictures):
    told = []

    class Screen(Display):
        def start(self, phase, total, done=0):
            told.append((phase, total, done))

        def advance(self, units):
            told.append(units)

    embed_pictures(pictures, Means(), Screen(quiet=True), batch=10)
    assert told == [("reading pictures", 25, 0), 10, 10, 5]


def test_what_is_written_from_time_to_time(pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_KEEP_ROWS", 10)
    embed_pictures(pictures, Means(), QUIET, cache=tmp_path / "cache", batch=5)
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 3
