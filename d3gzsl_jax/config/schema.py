"""Every field of the configuration once: what defaults, checks, --help, resuming and docs/configuration.md read.

The fields are said in run_fields.py, method_fields.py and framework_fields.py; this is what looks them up.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from d3gzsl_jax.config.field_type import Field, named
from d3gzsl_jax.config.framework_fields import FRAMEWORKS, FrameworkFields
from d3gzsl_jax.config.method_fields import METHOD
from d3gzsl_jax.config.run_fields import AROUND, DATA, RUN

VARIANTS = ("d3", "base")
"""With D3 on its framework, and without."""

GROUPS = {
    "": "The run",
    "data": "Data: which benchmark, and where it is",
    "data.stress": "A harder version of the benchmark (docs/stress.md); by default none",
    "networks": "Sizes of the networks, and what the generator ends in",
    "teacher": "The teacher: D3's out-of-distribution model, pretrained on seen rows, then frozen",
    "train": "Training",
    "distillation": "D3: the weights of its losses, and how they are computed",
    "classifier": "The final softmax classifier over all classes, on real seen and synthesized unseen rows",
    "eval": "Evaluation, and how the epoch is chosen",
    "checkpoint": "Checkpoints in the run folder; none of these changes a result",
    "parallel": "Seeds and devices at a time (docs/devices.md); a run may be resumed with other numbers",
    "guards": "What stops a run, or warns",
    "log": "What is written beside the results",
}
"""Heading of each group, in the order of the documentation."""


def assembled(frameworks: Mapping[str, FrameworkFields]) -> tuple[Field, ...]:
    """All fields, where these are the frameworks."""
    meaning = "The generative framework. " + "; ".join(f"{name}: {of.title}" for name, of in frameworks.items()) + "."
    framework = Field("framework", "wgan", meaning, words=tuple(frameworks))
    options = (field for of in frameworks.values() for field in of.fields)
    return (RUN[0], framework, *RUN[1:], *DATA, *METHOD, *AROUND, *options)


FIELDS: tuple[Field, ...] = assembled(FRAMEWORKS)
"""Every field, group by group."""


LENGTH = ("train.epochs", "train.outer_steps")
"""How long a run is trained: it may change when a run goes on, but two lengths are two settings where runs are compared."""


def by_name() -> dict[str, Field]:
    """The fields by their dotted names."""
    return {field.name: field for field in FIELDS}


def framework_names() -> tuple[str, ...]:
    """The names config.framework may have."""
    return by_name()["framework"].words


def options_of(framework: str) -> tuple[Field, ...]:
    """The fields of a framework's own."""
    return tuple(field for field in FIELDS if field.group == framework)


def read_options(framework: str) -> tuple[Field, ...]:
    """The options that a run on a framework reads: its own, and those of what it trains first."""
    return tuple(field for field in FIELDS if field.group in _read_groups(framework))


def _read_groups(framework: str) -> tuple[str, ...]:
    return (framework, FRAMEWORKS[framework].first_stage) if framework in FRAMEWORKS else (framework,)


def defaults(variant: str = "d3") -> dict[str, Any]:
    """The default of every field by its dotted name, in one of VARIANTS."""
    return {field.name: field.value(variant == "d3") for field in FIELDS}


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by dotted name as groups in groups."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        *groups, last = name.split(".")
        node = found
        for group in groups:
            node = node.setdefault(group, {})
        node[last] = value
    return found


def not_held(name: str, given: Any, before: Any) -> str:
    """The message of a value that a field cannot hold.

    Args:
        name: dotted.
        given: a value, or a text that is none.
        before: what the field holds, whose type is asked where the name is none of ours.
    """
    if field := by_name().get(name):
        wanted = f"must be {field.allowed()}" if not field.words else field.problem(given) or ""
    else:
        kinds = {bool: "True or False", int: "a whole number", float: "a number", str: "a text"}
        wanted = f"must be {kinds.get(type(before), 'a list' if isinstance(before, list | tuple) else type(before).__name__)}"
    return named(name, given, wanted)


def is_foreign(name: str, framework: str) -> bool:
    """Whether a field is an option of another framework, which a run on this one never reads; those of what it trains first are its
    own."""
    group = name.partition(".")[0]
    return group in framework_names() and group not in _read_groups(framework)


def may_change(name: str, framework: str) -> bool:
    """Whether a run on a framework may be resumed with another value of this field."""
    field = by_name().get(name)
    return (field is not None and field.may_change) or is_foreign(name, framework)


def groups() -> Iterator[tuple[str, str, list[Field]]]:
    """Name, heading and fields of each group, in the order of the documentation."""
    headings = GROUPS | {name: f"Options of {name} only: {of.title}" for name, of in FRAMEWORKS.items()}
    for group in (*headings, *(name for name in framework_names() if name not in headings)):
        if fields := [field for field in FIELDS if field.group == group]:
            yield group, headings.get(group, f"Options of {group} only"), fields


def help_text(width: int = 100) -> str:
    """All fields for a terminal: option, default, meaning and values, group by group."""
    lines = []
    for _, heading, fields in groups():
        lines += ["", *textwrap.wrap(f"{heading}:", width)]
        for field in fields:
            lines.append(f"  --config.{field.name}={shown(field.default)}")
            lines += textwrap.wrap(explained(field), width, initial_indent=" " * 6, subsequent_indent=" " * 6)
    return "\n".join(lines[1:])


def explained(field: Field) -> str:
    """Meaning, values, and what is special about a field, as sentences."""
    beside = f" {told}" if (told := read_beside(field)) else ""
    without = f" Without D3 {shown(field.base)}." if field.base is not None else ""
    changes = " May change when a run is resumed." if field.may_change else ""
    values = "" if field.allowed() == "a text" else f" ({field.allowed()})"
    return f"{field.meaning}{values}{beside}{without}{changes}"


def read_beside(field: Field) -> str:
    """With which values of which other field this one is read, as a sentence; '' where it always is."""
    if not field.read_with:
        return ""
    other, *values = field.read_with
    return f"Read with {other}={' or '.join(map(shown, values))} only."


def shown(value: Any) -> str:
    """A default as it is written on the command line."""
    if isinstance(value, str):
        return value or "''"
    return str(value)
