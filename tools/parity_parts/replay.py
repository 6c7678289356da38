"""Replays a recording of a published PyTorch loop, of whichever kind, through the package's own functions."""

from d3gzsl_jax.precision import scope
from tools.parity_parts import replay_cegzsl, replay_wgan
from tools.parity_parts.comparison import Comparison
from tools.parity_parts.recording import Recording


def replay(recording: Recording, precision: str = "float32", out: Comparison | None = None) -> Comparison:
    """The whole recording, with our products at this precision (only float32 is meant to be within tolerance).

    Args:
        out: where the deviations go; a fresh one by default.
    """
    out = Comparison() if out is None else out
    with scope(precision):
        {"wgan": replay_wgan, "cegzsl": replay_cegzsl}[recording.kind].replay(recording, out)
    return out
