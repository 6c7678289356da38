"""The grids of d3gzsl ablate by name: which parts of D3 matter, which settings, and under what stress of the data.

A preset is a function of a configuration; its docstring is what `--list` says of it. Its first cell is what the others are compared
with, unless they name another.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.load import flat, frameworks_of, split
from d3gzsl_jax.config.method_fields import TERMS, WITHOUT_D3
from d3gzsl_jax.errors import UserError


class Choice(NamedTuple):
    """A cell of a grid.

    Attributes:
        name: for tables.
        overrides: by dotted field, of the configuration it starts from.
        against: name of the cell of the same preset it is compared with, seed by seed; '' for the first there is of it.
        spec: the configuration it starts from, where that is not the one given.
    """

    name: str
    overrides: dict[str, Any]
    against: str = ""
    spec: str = ""


def components(config: ConfigDict) -> list[Choice]:
    """Each term of L_D3 at the configuration's own weight, or left out: the base method alone, single terms, pairs, all four."""
    cells = [without_d3(config)]
    for terms in (("cls",), ("cls", "od"), ("cls", "be"), ("cls", "kl"), ("cls", "be", "kl"), TERMS):
        name = "full" if terms == TERMS else "+".join(terms)
        off = {f"distillation.weight_{term}": 0.0 for term in TERMS if term not in terms}
        _require_weights(config, terms)
        cells.append(Choice(name, off))
    return cells


def temperature(config: ConfigDict) -> list[Choice]:
    """The temperature of L_kl, which the described variant has."""
    _require_weights(config, ("kl",))
    values = (1.0, 0.5, 2.0, 4.0, 8.0)
    return [Choice(f"T={v:g}", {"distillation.variant": "described", "distillation.temperature": v}) for v in values]


def variants(config: ConfigDict) -> list[Choice]:
    """What the published code computes and what the paper writes; with L_od also its score and its matching pairs."""
    variants, scores, targets = (schema.by_name()[f"distillation.{name}"].words for name in ("variant", "score", "target"))
    cells = []
    for variant in variants:
        if config.distillation.weight_od == 0.0:  # score and target are L_od's
            cells.append(Choice(variant, {"distillation.variant": variant}))
            continue
        for score in scores:
            for target in targets:
                fields = {"variant": variant, "score": score, "target": target}
                cells.append(Choice(f"{variant} {score} {target}", {f"distillation.{k}": v for k, v in fields.items()}))
    return cells


def synthesis(config: ConfigDict) -> list[Choice]:
    """How many rows an unseen class gets, while the student is trained and for the final classifier; one at a time."""
    fields = {"distillation.n_syn": (1, 3, 5, 10), "classifier.n_syn": (30, 100, 300, 1000)}
    own = {"distillation.n_syn": config.distillation.n_syn, "classifier.n_syn": config.classifier.n_syn}
    cells = [Choice("as configured: " + ", ".join(f"{field}={value}" for field, value in own.items()), {})]
    for field, values in fields.items():
        cells += [Choice(f"{field}={value}", {field: value}) for value in values if value != own[field]]
    for cell in cells:
        if cell.overrides.get("classifier.n_syn", config.classifier.n_syn) < config.classifier.zsl_n_syn:
            cell.overrides["classifier.zsl_n_syn"] = 0  # T1's own softmax cannot have more rows than there are: all of them
    return cells


def weights(config: ConfigDict) -> list[Choice]:
    """The weight of L_D3's terms, the same for all four; and none."""
    _require_weights(config, ())
    values = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    alike = (Choice(f"weight={v:g}", {f"distillation.weight_{term}": v for term in TERMS}) for v in values)
    return [without_d3(config), *alike]


def framework(config: ConfigDict) -> list[Choice]:
    """Every base method, alone and with D3."""
    return _with_and_without(config, {name: {"framework": name} for name in schema.framework_names()})


def logit_adjustment(config: ConfigDict) -> list[Choice]:
    """The final classifier's loss adjusted for how many rows a class has."""
    _require_weights(config, ())
    return [Choice(f"tau={v:g}", {"classifier.logit_adjustment": v}) for v in (0.0, 0.5, 1.0)]


def imbalance(config: ConfigDict) -> list[Choice]:
    """Stress: training rows of the seen classes fall off, the largest class to the smallest as given; as many steps each."""
    return _stress(config, "imbalance", (1.0, 10.0, 100.0), fewer_rows=True)


def seen_rows(config: ConfigDict) -> list[Choice]:
    """Stress: a share of the training rows; as many steps each."""
    return _stress(config, "seen_rows", (1.0, 0.3, 0.1), fewer_rows=True)


def test_shift(config: ConfigDict) -> list[Choice]:
    """Stress: test rows of the classes fall off, the largest class to the smallest as given."""
    return _stress(config, "test_imbalance", (1.0, 10.0, 100.0))


def feature_noise(config: ConfigDict) -> list[Choice]:
    """Stress: noise on the features."""
    return _stress(config, "feature_noise", (0.0, 0.25, 0.5, 1.0))


def semantic_noise(config: ConfigDict) -> list[Choice]:
    """Stress: noise on the semantic vectors."""
    return _stress(config, "semantic_noise", (0.0, 0.25, 0.5, 1.0))


def classes(config: ConfigDict) -> list[Choice]:
    """Stress: a half and a quarter of the seen classes, and of the unseen ones; as many steps each."""
    from d3gzsl_jax.data.load import load

    data = load(config.dataset, config.data)
    levels: dict[str, dict[str, Any]] = {"all classes": {}}
    for kind, known in (("seen", len(data.seen_classes)), ("unseen", len(data.unseen_classes))):
        for count in dict.fromkeys((known // 2, known // 4)):
            if 2 <= count < known:
                levels[f"{count} of {known} {kind}"] = {f"data.stress.{kind}_classes": count}
    return _with_and_without(config, _as_long(config, levels))


PRESETS: dict[str, Callable[[ConfigDict], list[Choice]]] = {
    preset.__name__: preset
    for preset in (
        components, temperature, variants, synthesis, weights, framework, logit_adjustment, imbalance, seen_rows, test_shift,
        feature_noise, semantic_noise, classes,
    )
}  # fmt: skip


def paper(spec: str, config: ConfigDict) -> list[Choice]:
    """The paper's question: every framework that the configuration file has settings for, alone and with D3, each by its own."""
    file, variant = split(spec)
    if variant:
        raise UserError(f"--config={spec}: --preset paper goes through the variants of a file; name the file alone")
    cells = []
    for name in frameworks_of(file):
        base = f"base, {name}"
        cells.append(Choice(base, _without_student(config), spec=f"{file}:{name},base"))
        cells.append(Choice(f"full, {name}", {}, base, f"{file}:{name}"))
    return cells


FILE_PRESETS: dict[str, Callable[[str, ConfigDict], list[Choice]]] = {"paper": paper}
"""Those that ask a configuration file, not a configuration."""


def choices_of(preset: str, spec: str, config: ConfigDict) -> list[Choice]:
    """The cells of a preset for a configuration, which was made of `spec`."""
    return FILE_PRESETS[preset](spec, config) if preset in FILE_PRESETS else PRESETS[preset](config)


def without_d3(config: ConfigDict) -> Choice:
    """The base method alone, which predicts by the final classifier."""
    always = {name: value for name, value in WITHOUT_D3.items() if name not in _RARELY}
    return Choice("base", always | _without_student(config))


_RARELY = ("eval.ensemble", "classifier.inputs")


def _without_student(config: ConfigDict) -> dict[str, Any]:
    """What a configuration uses the student for further, off. Nothing else: a table tells cells apart by what they set."""
    fields = dict(flat(config))
    return {name: WITHOUT_D3[name] for name in _RARELY if fields[name] != WITHOUT_D3[name]}


def _stress(config: ConfigDict, field: str, values: tuple[float, ...], fewer_rows: bool = False) -> list[Choice]:
    name = field.replace("_", " ")
    levels: dict[str, dict[str, Any]] = {f"{name} {value:g}": {f"data.stress.{field}": value} for value in values}
    return _with_and_without(config, _as_long(config, levels) if fewer_rows else levels)


def _as_long(config: ConfigDict, levels: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The levels with everything that is counted in epochs stretched where there are fewer rows, so that a level trains for as many
    outer steps as the first (rounded to an epoch): what differs is the data, not how long it is trained on. The final classifier's
    epochs stay, most of whose rows are synthesized, and what is 0."""
    fields = dict(flat(config))
    # With a budget of outer steps the run's epochs are parts of it, the same for any number of rows.
    counted = [of.name for of in schema.FIELDS if of.counted_in == "rows" or (of.counted_in and not config.train.outer_steps)]
    counted = [name for name in counted if fields[name] and not schema.is_foreign(name, config.framework)]
    if not counted:
        return dict(levels)
    from d3gzsl_jax.data.load import load
    from d3gzsl_jax.data.stress import OFF, stress
    from d3gzsl_jax.runs import sizes

    plain = config.copy_and_resolve_references()
    plain.data.stress.update(OFF)
    data = load(plain.dataset, plain.data)
    found: dict[str, dict[str, Any]] = {}
    steps = 0
    for level, overrides in levels.items():
        own = config.copy_and_resolve_references()
        own.update_from_flattened_dict(overrides)
        stressed = stress(data, own.data.stress)
        per_epoch = math.ceil(len(stressed.trainval) / sizes.sized(own, stressed).train.batch_size)
        steps = steps or per_epoch
        stretched = {field: max(round(fields[field] * steps / per_epoch), 1) for field in counted}
        found[level] = overrides | (stretched if per_epoch != steps else {})
    return found


def _with_and_without(config: ConfigDict, levels: Mapping[str, dict[str, Any]]) -> list[Choice]:
    """At each level the base method and, compared with it, D3 as configured: D3's gain by level."""
    _require_weights(config, ("cls", "kl"), any)
    cells = []
    for level, overrides in levels.items():
        base = f"base, {level}"
        cells += [Choice(base, without_d3(config).overrides | overrides), Choice(f"full, {level}", dict(overrides), base)]
    return cells


def _require_weights(config: ConfigDict, terms: tuple[str, ...], enough: Callable[[Any], bool] = all) -> None:
    """Refuses a configuration that has no weight for what is to be switched on, or that fits no classifier to compare."""
    off = [f"config.distillation.weight_{term}" for term in terms if config.distillation[f"weight_{term}"] == 0.0]
    if terms and not enough(config.distillation[f"weight_{term}"] > 0.0 for term in terms):
        raise UserError(f"{off[0]}=0: the preset has this term on at its own weight; give a configuration with D3, or --set it")
    if config.classifier.fit == "never":
        raise UserError("config.classifier.fit='never': the base method predicts by the classifier; --set classifier.fit=last")
