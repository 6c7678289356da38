"""The TFDS builder on a small folder in the real layout; nothing is downloaded."""

import numpy as np
import pytest

from d3gzsl_jax.data.formats.from_tfds import read_tfds
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError

pytestmark = pytest.mark.tensorflow  # which is why TFDS, and what imports it, is imported inside the tests


def test_configs_cover_the_benchmarks():
    from d3gzsl_jax.data.tfds_builders import xlsa17

    names = {config.name for config in xlsa17.Xlsa17.BUILDER_CONFIGS}
    assert names == {"cub_att", "cub_sent", "awa1_att", "awa2_att", "sun_att", "apy_att", "flo_att"}


@pytest.mark.slow
def test_read_from_a_manual_folder_equals_the_mat_reader(mat_folder, tmp_path):
    import tensorflow_datasets as tfds

    ours = validate(read_tfds("CUB", "att", str(tmp_path / "tfds"), str(mat_folder.parent)))
    theirs = read_xlsa17(mat_folder, "CUB")
    for field in ("labels", "semantics", "trainval", "test_seen", "test_unseen"):
        np.testing.assert_array_equal(getattr(ours, field), getattr(theirs, field), err_msg=field)
    np.testing.assert_array_equal(ours.features, theirs.features.astype(np.float32))
    assert ours.class_names == theirs.class_names
    assert ours.provenance["sha256"] == theirs.provenance["sha256"]
    # Prepared once, tfds.load finds it under its public name.
    loaded = tfds.load("xlsa17/cub_att", split="test_unseen", data_dir=str(tmp_path / "tfds"), download=False, batch_size=-1)
    np.testing.assert_array_equal(loaded["label"], theirs.labels[theirs.test_unseen])


def test_the_archive_is_used_where_there_is_no_manual_folder(mat_folder, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    from d3gzsl_jax.data.tfds_builders import xlsa17

    unpacked = tmp_path / "archive"
    (unpacked / "xlsa17" / "data").mkdir(parents=True)
    mat_folder.rename(unpacked / "xlsa17" / "data" / "CUB")
    asked = []
    monkeypatch.setattr(
        tfds.download.DownloadManager, "download_and_extract", lambda self, url: asked.append(url) or unpacked
    )
    data = validate(read_tfds("CUB", "att", str(tmp_path / "tfds"), str(tmp_path / "no such folder")))
    assert asked == [xlsa17.URL] and len(data.labels) == 60


def test_what_is_not_in_the_archive_is_asked_for(tmp_path):
    with pytest.raises(UserError, match=r"xlsa17/cub_sent is not in .*manual_dir"):
        read_tfds("CUB", "sent", str(tmp_path / "tfds"), str(tmp_path / "none"))


def test_changed_files_are_not_ignored(mat_folder, tmp_path):
    import scipy.io

    from tests import small

    arguments = ("CUB", "att", str(tmp_path / "tfds"), str(mat_folder.parent))
    read_tfds(*arguments)
    scipy.io.savemat(mat_folder / "res101.mat", small.mat_arrays()["res101"] | {"features": np.ones((12, 60))})
    with pytest.raises(UserError, match=r"res101.mat has changed since this was prepared; remove"):
        read_tfds(*arguments)
