"""What is said of a file that is not there looks at what is there, and `~` and relative paths mean one thing everywhere."""

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from d3gzsl_jax.data.formats import not_found
from d3gzsl_jax.data.formats.class_files import read_classes
from d3gzsl_jax.data.formats.feature_files import open_features
from d3gzsl_jax.data.formats.open_npz import write_npz
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import UserError
from tests import small
from tests.data.test_bad_input import config, refused

DOWNLOAD = "xlsa17.zip"


@pytest.fixture
def place(mat_folder):
    """A folder with CUB/, a benchmark, and birds.npz."""
    write_npz(mat_folder.parent / "birds.npz", read_xlsa17(mat_folder, "CUB"))
    return mat_folder.parent


def told(message, **values):
    text = refused(message, **values)
    assert f"Get https://datasets.d2.mpi-inf.mpg.de/xian/{DOWNLOAD}" not in text
    return text


def test_only_where_nothing_is_there_a_download_is_advised(place):
    (place / "empty").mkdir()
    for root in (place / "nowhere", place / "empty"):
        assert DOWNLOAD in refused("not found", root=root)


def test_a_file_for_a_folder(place):
    told(r"root=.*birds.npz: is a file; .*--config.data.source=npz", root=place / "birds.npz")
    told(r"root=.*res101.mat: is a file; give its folder, --config.data.root=.*/CUB$", root=place / "CUB" / "res101.mat")
    told(r"root=.*att_splits.mat: is a file; give its folder", root=place / "CUB" / "att_splits.mat")
    (place / "CUB" / "res101.mat").rename(place / "CUB" / "vgg.mat")
    told(r"give its folder, .*/CUB --config.data.feature_file=vgg.mat$", root=place / "CUB" / "vgg.mat")
    told(r"CUB/x/att_splits.mat: they lie in .*CUB: --config.data.root=.*/CUB$|is a file", root=place / "CUB" / "vgg.mat" / "x")
    os.mkfifo(place / "pipe")
    told(r"pipe: is no folder", root=place / "pipe")
    told(r"pipe: not a file", source="npz", root=place / "pipe")


def test_a_folder_for_a_file(place):
    told(r"is a folder; source=npz needs the file, as --config.data.root=.*birds.npz", source="npz", root=place)
    told(r"is a folder with att_splits.mat, res101.mat; .*--config.data.source=mat", source="npz", root=place / "CUB")
    told(r"res101.mat: is a .mat file; give --config.data.source=mat", source="npz", root=place / "CUB" / "res101.mat")
    (place / "empty").mkdir()
    told(r"empty: is a folder, without an .npz", source="npz", root=place / "empty")
    shutil.copy(place / "birds.npz", place / "empty")
    told(r"there is birds.npz: --config.data.source=npz --config.data.root=.*birds.npz", root=place / "empty")
    (place / "CUB" / "res101.mat").unlink()
    (place / "CUB" / "res101.mat").mkdir()
    told(r"res101.mat: is a folder", root=place / "CUB")


def test_another_name_is_there(place):
    told(r"resnet.mat; there is res101.mat: --config.data.feature_file=res101.mat", root=place / "CUB", feature_file="resnet.mat")
    told(r"there is res101.mat, in other letters", root=place / "CUB", feature_file="RES101.MAT")
    told(r"there is att_splits.mat: --config.data.semantics=att .*CE-GZSL", root=place / "CUB", semantics="sent")
    told(r"birdz.npz: no such file; did you mean .*birds.npz", source="npz", root=place / "birdz.npz")
    shutil.copy(place / "birds.npz", place / "two.npz")
    told(r"own.npz: no such file; set --config.data.root to the .npz", source="npz", root=place / "own.npz")
    told(r"two.h5: no such file; did you mean .*two.npz", source="npz", root=place / "two.h5")
    told(r"own.npz: no such file; set --config.data.root to the .npz that d3gzsl embed writes, or .*docs/using.md says$", source="npz", root="own.npz")
    told(r"there is no folder .*cub; did you mean .*CUB", root=place / "cub")


def test_a_folder_for_a_file_of_another_kind(place):
    for read in (lambda path: open_features(path, 12), read_classes):
        with pytest.raises(UserError, match=r"CUB: is a folder, not a file, in which there is att_splits.mat, res101.mat; give a file of "):
            read(place / "CUB")


def test_another_folder_has_them(place):
    told(r"res101.mat, att_splits.mat found in .*/CUB: --config.data.root=.*/CUB$", root=place)
    (place / "a" / "b").mkdir(parents=True)
    shutil.copytree(place / "CUB", place / "a" / "b" / "AWA2")
    told(r"found in .*/b/AWA2: --config.data.root=", root=place / "a", name="awa2")
    told(r"they lie in .*/CUB: --config.data.root=.*/CUB$", root=place / "CUB" / "CUB")


def test_links_to_nothing(place):
    os.symlink("/nowhere", place / "link")
    os.symlink("/nowhere.mat", place / "CUB" / "vgg.mat")
    os.symlink("self", place / "self")
    told(r"link: a link to /nowhere, which is not there", root=place / "link")
    told(r"link is a link to /nowhere, which is not there", root=place / "link" / "CUB")
    told(r"vgg.mat: a link to /nowhere.mat, which is not there", root=place / "CUB", feature_file="vgg.mat")
    told(r"link: a link to /nowhere", source="npz", root=place / "link")
    told(r"self: Too many levels of symbolic links", root=place / "self")


def test_no_permission(place, monkeypatch):
    monkeypatch.setattr(not_found.os, "access", lambda path, mode: not str(path).endswith(("res101.mat", "birds.npz", "closed")))
    told(r"res101.mat: no permission to read it", root=place / "CUB")
    told(r"birds.npz: no permission to read it", source="npz", root=place / "birds.npz")
    (place / "closed").mkdir()
    told(r"closed: a folder without permission to read it", root=place / "closed")
    with pytest.raises(UserError, match=r"birds.npz: no permission to read it"):
        open_features(place / "birds.npz", 12)


def test_paths_that_are_none(place):
    told(r"--config.data.root is missing: it is the .npz that d3gzsl embed wrote", source="npz", root="")
    told(r"--config.data.root: is empty", source="mat", root="")
    for odd, message in (("a\0b", "zero byte"), ("gs://a/b", "is not read"), ("~nobody-of-that-name/x", "home folder")):
        for source in ("mat", "npz"):
            told(rf"--config.data.root.*{message}", source=source, root=odd)
    for long in ("x" * 3000, f"{place}/{'x' * 300}"):
        assert len(refused("too long|no folder|no such file|not found", root=long)) < 2500
        assert len(refused("too long", source="npz", root=long)) < 1000


def test_what_a_file_holds_instead(place):
    arrays = small.mat_arrays()["res101"]
    small.write_mat_folder(place / "CUB", res101={"features": None, "labels": None, "feature": arrays["features"], "label": arrays["labels"]})
    told(r"res101.mat: variable 'features' is missing; it holds feature, label", root=place / "CUB")
    with h5py.File(place / "CUB" / "res101.mat", "w") as file:
        file["feature"], file["label"] = np.zeros((3, 3)), np.zeros(3)
        file["#refs#/a"] = 1
    told(r"res101.mat: variable 'features' is missing; it holds feature, label;", root=place / "CUB")
    np.savez(place / "birds.npz", **{f"key{i}{'x' * 100}": np.zeros(1) for i in range(30)})
    assert len(told(r"birds.npz: key 'features' is missing; it holds key0.* and 18 more", source="npz", root=place / "birds.npz")) < 1200
    with h5py.File(place / "birds.h5", "w") as file:
        file["feats"] = np.zeros((3, 3))
    told(r"birds.h5: key 'features' is missing; it holds feats", source="npz", root=place / "birds.h5")
    for read, key in ((lambda key: read_classes(place / "birds.npz", key), "semantics"), (lambda key: open_features(place / "birds.npz", 3, key), "x")):
        for given in (key, "y" * 3000):
            with pytest.raises(UserError, match="is missing; it holds key0") as caught:
                read(given)
            assert len(str(caught.value)) < 1200


def test_a_home_folder_is_one_everywhere(place, monkeypatch):
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.chdir(place)
    for root in ("~/CUB", "CUB", "./CUB"):
        assert load("CUB", config(root=root)).class_count == 6
    for root in ("~/birds.npz", "birds.npz"):
        assert load("CUB", config(source="npz", root=root)).class_count == 6
        assert open_features(root, 12).rows == 60
        assert len(read_classes(root)[1]) == 6
    (place / "CUB" / "res101.mat").rename(place / "clip.mat")
    for file in ("~/clip.mat", place / "clip.mat", "../clip.mat"):
        assert load("CUB", config(root="~/CUB", feature_file=str(file))).class_count == 6
    assert not Path("~").exists()
    for read, option in ((lambda path: open_features(path, 12), "--input"), (read_classes, "--semantics")):
        with pytest.raises(UserError, match=f"^{option}=.*there is no such home folder"):
            read("~nobody-of-that-name/x.npz")


@pytest.mark.parametrize("read", [lambda path: open_features(path, 12), read_classes])
def test_a_file_that_a_flag_names(read, place):
    for name, message in (("birdz.npz", r"no such file; did you mean .*birds.npz\?; give a file of"), ("BIRDS.npz", "did you mean"),
                          ("birds.npy", r"did you mean .*birds.npz"), ("folder.npz", r"is a folder, not a file, in which there is a.npz"),
                          (f"{'x' * 300}.npz", "too long")):  # fmt: skip
        if name == "folder.npz":
            (place / name).mkdir()
            shutil.copy(place / "birds.npz", place / name / "a.npz")
        with pytest.raises(UserError, match=message) as caught:
            read(place / name)
        assert "\n" not in str(caught.value)
