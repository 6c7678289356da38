"""TFDS builder `xlsa17`: the "proposed split" benchmarks, one config per dataset and semantics.

    tfds build d3gzsl_jax/data/tfds_builders/xlsa17.py --config cub_att
    tfds build d3gzsl_jax/data/tfds_builders/xlsa17.py --config cub_sent --manual_dir FOLDER   # FOLDER/CUB/res101.mat ...

In Python: `import d3gzsl_jax.data.tfds_builders.xlsa17`, then `tfds.load("xlsa17/cub_att")`. Splits are trainval, test_seen and
test_unseen; semantics and class names, which belong to classes and not to rows, are in `builder.info.metadata`.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from d3gzsl_jax.data.benchmark import ROLES
from d3gzsl_jax.data.formats.xlsa17 import URL, read_xlsa17
from d3gzsl_jax.data.validate import validate

_SUBFOLDER = Path("xlsa17") / "data"


@dataclasses.dataclass
class Xlsa17Config(tfds.core.BuilderConfig):
    """A benchmark folder, the split file that holds its semantics, and the name of its feature file."""

    folder: str = ""
    semantics: str = "att"
    feature_file: str = "res101.mat"
    in_archive: bool = True


def _configs() -> list[Xlsa17Config]:
    found = []
    for folder, semantics, in_archive, what in (
        ("CUB", "att", True, "312 attributes"),
        ("CUB", "sent", False, "1024-d sentence vectors"),
        ("AWA1", "att", True, "85 attributes"),
        ("AWA2", "att", True, "85 attributes"),
        ("SUN", "att", True, "102 attributes"),
        ("APY", "att", True, "64 attributes"),
        ("FLO", "att", False, "1024-d sentence vectors, which FLO's att_splits.mat holds"),
    ):
        name = f"{folder.lower()}_{semantics}"
        found.append(
            Xlsa17Config(name=name, description=f"{folder}, {what}", folder=folder, semantics=semantics, in_archive=in_archive)
        )
    return found


class Xlsa17(tfds.core.GeneratorBasedBuilder):
    """ResNet-101 features and class semantics of CUB, AWA1, AWA2, SUN, aPY and FLO (Xian et al. 2018, arXiv 1707.00600)."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar = {"1.0.0": "Initial release."}
    BUILDER_CONFIGS: ClassVar = _configs()
    # TFDS offers manual_dir only to builders that say what to put there; for those in the archive it stays optional.
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "manual_dir/<CUB|AWA1|AWA2|SUN|APY|FLO>/ holds res101.mat and att_splits.mat (cub_sent: sent_splits.mat), as xlsa17.zip "
        "has them. FLO and CUB's sentence vectors are not in the archive; they circulate with CE-GZSL and f-CLSWGAN."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generalized zero-shot learning benchmarks with the proposed splits; labels are 0-based original ids.",
            features=tfds.features.FeaturesDict(
                {
                    "features": tfds.features.Tensor(shape=(None,), dtype=np.float32),
                    "label": tfds.features.Scalar(dtype=np.int64),
                    "row": tfds.features.Scalar(dtype=np.int64),
                }
            ),
            homepage="https://www.mpi-inf.mpg.de/departments/computer-vision-and-machine-learning/research/zero-shot-learning",
            citation="@article{xian2018zero, title={Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and "
            "the Ugly}, author={Xian, Yongqin and Lampert, Christoph H. and Schiele, Bernt and Akata, Zeynep}, "
            "journal={IEEE TPAMI}, year={2018}}",
            metadata=tfds.core.MetadataDict(),
            disable_shuffling=True,
        )

    def _folder(self, dl_manager: tfds.download.DownloadManager) -> Path:
        config: Any = self.builder_config
        try:
            manual = Path(dl_manager.manual_dir)
        except (AssertionError, ValueError):  # no manual folder, or an empty one
            manual = None
        if manual is not None:
            for folder in (manual / config.folder, manual / _SUBFOLDER / config.folder):
                if folder.is_dir():
                    return folder
        if not config.in_archive:
            raise FileNotFoundError(
                f"xlsa17/{config.name} is not in {URL}; put {config.folder}/{config.feature_file} and "
                f"{config.folder}/{config.semantics}_splits.mat into a folder and pass it as manual_dir"
            )
        return Path(dl_manager.download_and_extract(URL)) / _SUBFOLDER / config.folder

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config: Any = self.builder_config
        data = validate(read_xlsa17(self._folder(dl_manager), config.folder, config.feature_file, config.semantics))
        self.info.metadata.update(
            semantics=data.semantics.tolist(),
            class_names=list(data.class_names),
            feature_file=config.feature_file,
            semantics_kind=config.semantics,
            sha256=data.provenance["sha256"],
        )
        return {role: self._generate_examples(data, getattr(data, role)) for role in ROLES}

    def _generate_examples(self, data: Any, rows: np.ndarray) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, row in enumerate(rows):
            features = data.features[row].astype(np.float32)
            yield index, {"features": features, "label": int(data.labels[row]), "row": int(row)}
