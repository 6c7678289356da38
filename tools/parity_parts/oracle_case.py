"""What is trained in lockstep with the PyTorch oracle (tools/parity_parts/oracle.py), and the options of tools/parity.py for it."""

import argparse
import dataclasses
import math
from typing import Any

from d3gzsl_jax.distillation.terms import TERM_NAMES
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.losses.distillation import SCORES, TARGETS, VARIANTS
from d3gzsl_jax.system.options import Parser


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained by both, and for how long. Sizes as in configs; the weights of L_D3 differ, so that none can stand in for
    another, and are large, so that all four matter."""

    base: str = "wgan"
    d3: bool = True
    variant: str = "released"
    score: str = "msp"
    target: str = "class"
    seed: int = 0
    steps: int = 10
    features: int = 24
    semantics: int = 7
    noise: int = 5
    seen: int = 7
    unseen: int = 4
    generator_hidden: int = 40
    critic_hidden: int = 36
    embedding: int = 20
    projection: int = 10
    comparator_hidden: int = 18
    batch: int = 16
    n_critic: int = 2
    n_syn: int = 3
    steps_per_epoch: int = 2
    decay_every: int = 2
    learning_rate: float = 1e-3
    temperature: float = 2.0
    comparator_gradient: str = "released"
    latents: str = "encoded"
    double: bool = False

    @property
    def weights(self) -> dict[str, float]:
        """weight_cls, weight_od, weight_be, weight_kl."""
        values = (0.3, 0.2, 0.5, 0.4) if self.d3 else (0.0,) * 4
        return {f"weight_{name}": value for name, value in zip(TERM_NAMES, values, strict=True)}


SIZES: dict[str, dict[str, Any]] = {
    "small": {},
    "medium": {
        "features": 256, "semantics": 64, "noise": 48, "seen": 30, "unseen": 10, "generator_hidden": 512, "critic_hidden": 512,
        "embedding": 256, "projection": 64, "comparator_hidden": 256, "batch": 64, "n_critic": 5,
    },
    "cub": {
        "features": 2048, "semantics": 312, "noise": 312, "seen": 150, "unseen": 50, "generator_hidden": 4096,
        "critic_hidden": 4096, "embedding": 2048, "projection": 512, "comparator_hidden": 2048, "batch": 256, "n_critic": 5,
        "n_syn": 5, "learning_rate": 1e-4,
    },
}  # fmt: skip


CHOICES = {
    "base": ("wgan", "cegzsl", "tfvaegan"), "d3": ("on", "off"), "variant": VARIANTS, "score": SCORES, "target": TARGETS,
    "comparator_gradient": ("released", "fresh"), "latents": ("encoded", "prior"),
}  # fmt: skip
_FREE_FORM = ("steps", "set", "double")  # the options besides CHOICES that are the oracle's only


def add_options(parser: Parser) -> None:
    """Adds the options that only --oracle takes; none has a default, so that one given elsewhere can be told."""
    group = parser.add_argument_group("with --oracle")
    for name, choices in CHOICES.items():
        group.add_argument(f"--{name.replace('_', '-')}", choices=choices, help=f"default {choices[0]}")
    group.add_argument("--steps", type=int, help="outer steps to train (default 10)")
    group.add_argument("--double", action="store_true", default=None, help="in float64, to a tighter tolerance")
    sized = ", ".join(field.name for field in dataclasses.fields(Case) if field.name not in ("seed", "steps", "double", *CHOICES))
    group.add_argument("--set", action="append", metavar="NAME=NUMBER", help=f"a number of its own, repeatable: {sized}")


def refuse_options(arguments: argparse.Namespace) -> None:
    """Complains of an option that only --oracle takes.

    Raises:
        UserError: one was given.
    """
    for name in (*CHOICES, *_FREE_FORM):
        if getattr(arguments, name) is not None:
            raise UserError(f"--{name.replace('_', '-')}: only with --oracle")


def case_of(arguments: argparse.Namespace) -> Case:
    """The case the options ask for.

    Raises:
        UserError: an option's value makes no case; it is named.
    """
    size = arguments.size or "small"
    if size not in SIZES:
        raise UserError(f"--size {size}: with --oracle one of {', '.join(SIZES)}")
    values: dict[str, Any] = dict(SIZES[size])
    values |= {name: given for name in ("seed", "steps", *CHOICES) if (given := getattr(arguments, name)) is not None}
    if values.get("steps", 1) < 1 or values.get("seed", 0) < 0:
        raise UserError("--steps must be at least 1, --seed not negative")
    values["double"] = bool(arguments.double)
    if "d3" in values:
        values["d3"] = values["d3"] == "on"
    types = {field.name: field.type for field in dataclasses.fields(Case) if field.type in (int, float)}
    for text in arguments.set or ():
        name, _, value = text.partition("=")
        if name not in types:
            raise UserError(f"--set {text}: expected NAME=NUMBER with NAME one of {', '.join(types)}")
        try:
            number = types[name](value)
        except ValueError:
            number = 0
        if not (math.isfinite(number) and number > 0):
            raise UserError(f"--set {text}: must be a{' whole' if types[name] is int else ''} number above 0")
        values[name] = number
    return Case(**values)
