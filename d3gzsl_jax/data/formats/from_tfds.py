"""GZSLData from the TFDS builder `xlsa17`; imports TensorFlow Datasets only when called."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import ROLES, GZSLData
from d3gzsl_jax.data.formats.mat_files import sha256
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.text import clean_names


def read_tfds(name: str, semantics: str, data_dir: str | None = None, manual_dir: str | None = None) -> GZSLData:
    """Prepares `xlsa17/<name>_<semantics>` where needed and reads it. It only reads; `validate` checks.

    Args:
        name: dataset name, one of the builder's (any case).
        semantics: of one of the builder's configs, 'att' or 'sent'.
        data_dir: where TFDS keeps prepared datasets; its default where None.
        manual_dir: a folder with files got by hand (<manual_dir>/CUB/res101.mat ...); else the archive is downloaded.

    Raises:
        UserError: no such config, or its files cannot be had.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import tensorflow_datasets as tfds

        from d3gzsl_jax.data.tfds_builders import xlsa17
    except ImportError as error:
        raise UserError(
            f"config.data.source=tfds needs tensorflow and tensorflow-datasets ({error}); install them, or use "
            "config.data.source=mat"
        ) from None
    config = f"{name.lower()}_{semantics}"
    known = [c.name for c in xlsa17.Xlsa17.BUILDER_CONFIGS]
    if config not in known:
        raise UserError(
            f"TFDS builder xlsa17 has no config {config!r} (from config.dataset and config.data.semantics); "
            f"it has {', '.join(known)}"
        )
    builder = xlsa17.Xlsa17(data_dir=data_dir, config=config)
    try:
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=manual_dir))
    except UserError:
        raise
    except Exception as error:  # TFDS raises many kinds for a failed download
        raise UserError(
            f"tfds xlsa17/{config}: could not be prepared ({reason(error)}); set --config.data.manual_dir to a folder with "
            f"{name.upper()}/res101.mat and {name.upper()}/{semantics}_splits.mat"
        ) from None
    _refuse_stale(builder, manual_dir, f"tfds xlsa17/{config}")
    parts = {role: tfds.as_numpy(builder.as_dataset(split=role, batch_size=-1)) for role in ROLES}
    rows = np.concatenate([part["row"] for part in parts.values()])
    # Rows of no split are not in TFDS: number the ones there are, in the file's order.
    order = np.argsort(rows)
    position = {int(row): new for new, row in enumerate(rows[order])}
    metadata = builder.info.metadata
    where = f"tfds xlsa17/{config}"
    roles: dict[str, Any] = {role: np.array([position[int(row)] for row in part["row"]], np.int64) for role, part in parts.items()}
    return GZSLData(
        name=name,
        features=np.concatenate([part["features"] for part in parts.values()])[order],
        labels=np.concatenate([part["label"] for part in parts.values()])[order],
        semantics=np.asarray(metadata["semantics"], np.float32),
        class_names=clean_names(metadata["class_names"]),
        **roles,
        provenance={
            "source": "tfds",
            "feature_file": metadata["feature_file"],
            "semantics": semantics,
            "sha256": dict(metadata["sha256"]),
        },
        keys={key: f"{where}: {key!r}" for key in ("features", "labels", "semantics", "class_names", *ROLES)},
    )


def _refuse_stale(builder: Any, manual_dir: str | None, where: str) -> None:
    """Prepared data is kept; files in manual_dir that changed since would be ignored silently."""
    if manual_dir is None:
        return
    for name, digest in builder.info.metadata["sha256"].items():
        path = Path(manual_dir) / builder.builder_config.folder / name
        if path.is_file() and sha256(path) != digest:
            raise UserError(
                f"{where}: {path} has changed since this was prepared; remove {builder.data_path} to prepare it again"
            )
