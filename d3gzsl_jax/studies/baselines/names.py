"""What baselines there are; nothing that computes is loaded for their names."""

from collections.abc import Sequence

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import did_you_mean

FITTED = ("eszsl", "regressor", "class_norm")
"""Those of `harness.BASELINES`."""
NO_SYNTHESIS = "no_synthesis"
"""The configuration's own networks, trained on real rows only."""


def chosen(text: str, known: Sequence[str]) -> list[str]:
    """The names that --baselines=NAME,NAME lists, each once.

    Raises:
        UserError: there is none, or one is not known.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise UserError(f"--baselines names none; give some of {', '.join(known)}, or leave it out")
    for name in names:
        if name not in known:
            raise UserError(f"--baselines {name}: expected some of {', '.join(known)}{did_you_mean(name, known)}")
    return names
