"""From a folder of pictures and a table of classes to a benchmark: `d3gzsl embed`."""

import contextlib
import csv
import dataclasses
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats.not_found import entries, shown
from d3gzsl_jax.data.formats.open_npz import is_npz, write_npz
from d3gzsl_jax.data.semantics import check_semantics
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.encoders import feature_cache, images, texts
from d3gzsl_jax.encoders.class_table import ClassTable, class_semantics, cut_off, no_descriptions, read_class_table
from d3gzsl_jax.encoders.embed_pictures import BATCH, BATCHES, Screen, embed_pictures, require_bad
from d3gzsl_jax.encoders.pictures import Picture, find_pictures, require_outside
from d3gzsl_jax.encoders.split import Split, drawn_split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import atomic, paths
from d3gzsl_jax.system.options import require_whole
from d3gzsl_jax.text import csv_row, cut, listed, nearest, shortened

IMAGE_ENCODER, TEXT_ENCODER = "resnet101", "sentence-transformers:sentence-transformers/all-MiniLM-L6-v2"
"""What is taken where none is named: 178 MB and 91 MB, downloaded once."""
_SKIPPED = ("file", "reason")


class Plan(NamedTuple):
    """What is asked for, checked as far as that goes without a network being loaded."""

    pictures: list[Picture]
    table: ClassTable
    labels: dict[str, int]
    output: Path
    options: dict[str, Any]
    image_encoder: str
    text_encoder: str
    bad: str
    batch: int


def plan(
    images_source: str | os.PathLike[str], classes: str | os.PathLike[str], output: str | os.PathLike[str],
    image_encoder: str = IMAGE_ENCODER, text_encoder: str = "", holdout: float = 0.2, unseen: str = "", unseen_share: float = 0.0,
    seed: int = 0, bad: str = "refuse", batch: int = BATCH,
) -> Plan:
    """Reads the table, finds the pictures and checks that they belong together; arguments as of `api.embed`.

    Raises:
        UserError: they do not, or an option means nothing; nothing has been computed.
    """
    if unseen and unseen_share:
        raise UserError("--unseen and --unseen-share: both say which classes are held out; give one of them")
    if not 0 <= holdout < 1 or not 0 <= unseen_share < 1:
        raise UserError("--holdout and --unseen-share are shares: give a number from 0 to below 1")
    require_bad(bad)
    require_whole("--batch", batch, *BATCHES)
    require_whole("--seed", seed, 0, 2**32 - 1)
    kind, name = images.split(image_encoder)
    table = read_class_table(Path(classes))
    if table.descriptions is None and text_encoder:
        raise UserError(no_descriptions("--text-encoder", table))
    if table.attributes is not None:
        _without_pictures(table, table.attributes)
    if table.descriptions is not None:
        text_encoder = text_encoder or (f"clip:{name}" if kind == "clip" else TEXT_ENCODER)
        texts.split(text_encoder)
    pictures = find_pictures(images_source)
    source = paths.clean(images_source, "--images")
    target = paths.clean_output(output, "--output", _is_embedded, "benchmark of pictures", [source, Path(table.path)])
    if target.suffix.lower() != ".npz":
        raise UserError(f"--output={target}: is no .npz; name it NAME.npz")
    require_outside(target, "--output", source)
    labels = _labels(pictures, table, str(source))
    options: dict[str, Any] = {"holdout": holdout, "unseen": unseen, "unseen_share": unseen_share, "seed": seed}
    if not drawn_split(_numbers(pictures, labels), table.names, **options).unseen.size:
        raise UserError(
            f"{table.path}: every class has pictures, and none is unseen; add lines of classes without pictures, or hold some "
            "out by --unseen or --unseen-share"
        )
    return Plan(pictures, table, labels, target, options, image_encoder, text_encoder, bad, batch)


def embed(asked: Plan, display: Screen) -> GZSLData:
    """Makes features of the pictures and semantics of the classes, and writes the benchmark.

    What is done is kept in a folder beside the output, NAME.npz.features, until that is written: a run that was killed goes on with
    the other pictures. Skipped ones are listed in NAME.skipped.csv.

    Args:
        asked: of `plan`.
        display: where progress goes.

    Raises:
        UserError: an encoder or a picture cannot be read, or a file not be written.
    """
    table, output = asked.table, asked.output
    cache, listing = output.with_name(f"{output.name}.features"), output.with_name(f"{output.stem}.skipped.csv")
    if os.path.lexists(cache) and not feature_cache.is_ours(cache):
        raise UserError(f"{cache}: holds other things than features kept there, which stay; move it, or name another output")
    if os.path.lexists(listing) and not _is_listing(listing):
        raise UserError(f"{listing}: is no list of skipped pictures, and stays; move it, or name another output")
    with display.doing(f"loading the image encoder {asked.image_encoder}"):
        image = images.image_encoder(asked.image_encoder)
    display.say(f"what the encoder sees of a picture: {image.transform.described()}")
    text_notes = None
    if table.descriptions is not None:
        with display.doing(f"loading the text encoder {asked.text_encoder}"):
            text = texts.text_encoder(asked.text_encoder)
        with display.doing("reading the descriptions", logged=False):
            semantics, text_notes = class_semantics(table, text), text.notes()
        if told := cut_off(table, text):
            display.say(told)
        del text
    else:
        semantics = class_semantics(table, None)
    without = _without_pictures(table, semantics)
    with paths.made_folder(cache, "folder for features"):
        found = embed_pictures(asked.pictures, image, display, asked.bad, cache, asked.batch)
    labels = _numbers(found.pictures, asked.labels)
    split = drawn_split(labels, table.names, **asked.options)
    data = validate(
        dataclasses.replace(
            without, name=output.stem, features=found.features, labels=labels, trainval=split.trainval,
            test_seen=split.test_seen, test_unseen=split.test_unseen, declared_unseen=split.unseen,
            row_names=np.array([picture.name for picture in found.pictures], str),
            provenance={
                "source": "pictures", "feature_file": output.name, "semantics": "descriptions" if text_notes else "attributes",
                "sha256": {},
                "encoders": {
                    "image": image.notes(), "text": text_notes, "semantics": "descriptions" if text_notes else "attributes",
                    "attribute_names": list(table.attribute_names), "split": asked.options, "skipped": len(found.skipped),
                },
            },
        )
    )  # fmt: skip
    write_npz(output, data)
    _write_listing(listing, found.skipped)
    feature_cache.remove(cache)
    display.say(_said(data, split, found.skipped, output, listing))
    if lost := {picture.class_name for picture in asked.pictures} - {picture.class_name for picture in found.pictures}:
        display.say(f"warning: no picture of {listed(sorted(map(str, lost)))} can be read: unseen, by words or numbers alone")
    return data


def _without_pictures(table: ClassTable, semantics: np.ndarray) -> GZSLData:
    """The classes of a benchmark, whose pictures are not encoded yet.

    Raises:
        UserError: the vectors (C, da) tell no classes apart; the table is named.
    """
    none = np.zeros(0, np.int64)
    data = GZSLData(
        name="", features=np.zeros((0, 0), np.float32), labels=none, semantics=semantics, class_names=table.names, trainval=none,
        descriptions=None if table.descriptions is None else tuple("\n".join(of) for of in table.descriptions),
        keys=dict.fromkeys(("semantics", "class_names", "descriptions"), table.path),
    )
    check_semantics(data)
    return data


def _labels(pictures: Sequence[Picture], table: ClassTable, source: str) -> dict[str, int]:
    """Ids of the classes by name, of which each picture has one.

    Raises:
        UserError: naming the first picture that has none.
    """
    ids = {name: label for label, name in enumerate(table.names)}
    for picture in pictures:
        if picture.class_name is None:
            raise UserError(
                f"{source}: {cut(picture.name)} is of no class; put it into a subfolder that is called as its class, or give a CSV "
                f"of file,class{_deeper(source, table.names)}"
            )
        if picture.class_name not in ids:
            meant = nearest(picture.class_name, table.names)
            hint = f"did you mean {shortened(meant)}? Call both alike" if meant else "add a line for it, or take its pictures out"
            name, of = cut(picture.name), shortened(picture.class_name)
            deeper = _deeper(source, table.names)
            raise UserError(f"{source}: {name} is of class {of}, which {table.path} lacks; {hint}{deeper}")
    return ids


def _deeper(source: str, names: Sequence[str]) -> str:
    """'; did you mean FOLDER?' where a folder in that of the pictures has one that is called as a class; else ''."""
    classes = set(names)
    for folder in entries(Path(source)):
        if classes.intersection(entry.name for entry in entries(folder)):
            return f"; did you mean {shown(folder)}?"
    return ""


def _numbers(pictures: Sequence[Picture], labels: dict[str, int]) -> np.ndarray:
    return np.array([labels[picture.class_name or ""] for picture in pictures], np.int64)


def _is_embedded(path: Path) -> bool:
    """Whether a file is a benchmark that says what made its features: not one of somebody's own."""
    return is_npz(path, ("encoders",))


def _is_listing(path: Path) -> bool:
    begin = (",".join(_SKIPPED) + "\r\n").encode()
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(len(begin)) == begin
    return False


def _write_listing(path: Path, skipped: Sequence[tuple[str, str]]) -> None:
    """Writes the skipped pictures; without any, an earlier list goes."""
    if not skipped:
        path.unlink(missing_ok=True)
        return
    with atomic.replacing(path) as file:
        writer = csv.writer(file)
        writer.writerow(_SKIPPED)
        writer.writerows(map(csv_row, skipped))


def _said(data: GZSLData, split: Split, skipped: Sequence[tuple[str, str]], output: Path, listing: Path) -> str:
    rows = Counter(data.labels.tolist())
    words_only = [data.class_names[label] for label in split.unseen.tolist() if not rows[label]]
    held_out = [data.class_names[label] for label in split.unseen.tolist() if rows[label]]
    parts = [
        f"wrote {output}: {len(data.labels)} pictures as rows of {data.feature_size} features, {data.class_count} classes as "
        f"vectors of {data.semantic_size}",
        f"{len(data.seen_classes)} seen classes: {len(split.trainval)} pictures to train with, {len(split.test_seen)} to test with",
    ]
    if held_out:
        parts.append(f"held out as unseen: {listed(held_out)} ({len(split.test_unseen)} pictures to test with)")
    if words_only:
        parts.append(f"unseen, without pictures: {listed(words_only)}")
    if skipped:
        parts.append(f"{len(skipped)} pictures skipped, listed in {listing.name}")
    return "; ".join(parts)
