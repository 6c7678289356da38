"""Replays a recording of a published PyTorch loop, of whichever kind, through the package's own functions."""

from d3gzsl_jax.precision import scope
from tools.parity_parts import replay_cadavae, replay_cegzsl, replay_free, replay_vaegan, replay_wgan, replay_zerodiff
from tools.parity_parts.comparison import Comparison
from tools.parity_parts.recording import Recording

REPLAYS = {
    "wgan": replay_wgan, "cegzsl": replay_cegzsl, "vaegan": replay_vaegan, "cadavae": replay_cadavae, "zerodiff": replay_zerodiff,
    "free": replay_free,
}  # fmt: skip
"""By kind of recording, what replays it."""


def replay(recording: Recording, precision: str = "float32", out: Comparison | None = None) -> Comparison:
    """The whole recording, with our products at this precision (only float32 is meant to be within tolerance).

    Args:
        out: where the deviations go; a fresh one by default.
    """
    out = Comparison() if out is None else out
    with scope(precision):
        REPLAYS[recording.kind].replay(recording, out)
    return out
