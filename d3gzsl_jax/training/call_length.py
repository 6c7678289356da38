"""How many outer steps a call of the compiled loop does: enough that dispatch costs nothing, few enough that signals are heard."""

# A call is made longer while it takes less than the first and shorter when more than the second (seconds). The bits of a run do not
# depend on it.
_CALL_SECONDS = (0.5, 2.0)
# Streamed features of one call of the loop; a few calls are under way at a time.
_STREAM_BYTES = 64 * 2**20


class CallLength:
    """The length of the next call, in outer steps: one at first, at most `most`."""

    def __init__(self, most: int) -> None:
        self.steps, self._most = 1, most

    def took(self, seconds: float) -> None:
        """A call of this length took so long."""
        if seconds < _CALL_SECONDS[0]:
            self.steps = min(2 * self.steps, self._most)
        elif seconds > _CALL_SECONDS[1]:
            self.steps = max(self.steps // 2, 1)


def longest_streamed(steps_per_call: int, feature_size: int, batches: int, batch_size: int) -> int:
    """Outer steps of a call whose features are streamed, at most."""
    return min(steps_per_call, max(_STREAM_BYTES // (4 * feature_size * batches * batch_size), 1))
