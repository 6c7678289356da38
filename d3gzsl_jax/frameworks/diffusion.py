"""The diffusion of ZeroDiff (Ye et al. 2025, arXiv 2406.02929): rows at noise levels 0 to T, few and far apart, and the way back.

A row x_0 at level t is x_t = A_t x_0 + sqrt(1 - A_t^2) n, and one level further x_{t+1} = sqrt(1 - b_{t+1}) x_t + sqrt(b_{t+1}) n'
(Xiao, Kreis and Vahdat 2022, arXiv 2112.07804, whose schedule this is). All numbers are formed in float32, as in the published
code: there A_0 is 1 exactly, and the lowest level has no noise at all.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

_FIRST_TIME = 1e-3
_FIRST_VARIANCE = 1e-8
_VARIANCE_FLOOR = 1e-20
_PERIOD = 10_000.0
Table = np.ndarray
"""One float32 number a level."""


@dataclasses.dataclass(frozen=True)
class Diffusion:
    """Tables of the schedule, and what is made by them. Rows are (..., d), their levels (...) int32, or () for all alike.

    Attributes:
        steps: T.
        beta_min, beta_max: rate of the noise in the beginning and in the end.
    """

    steps: int = 4
    beta_min: float = 0.1
    beta_max: float = 20.0

    @functools.cached_property
    def variance(self) -> Table:
        """b_k of level k = 0..T, the share of new noise in the squares of a row's entries."""
        of = np.float32
        time = np.arange(self.steps + 1, dtype=of) / of(self.steps) * of(1.0 - _FIRST_TIME) + of(_FIRST_TIME)
        log_mean = of(-0.25) * time**2 * of(self.beta_max - self.beta_min) - of(0.5) * time * of(self.beta_min)
        left = of(1.0) - (of(1.0) - np.exp(of(2.0) * log_mean))
        return np.concatenate([[of(_FIRST_VARIANCE)], of(1.0) - left[1:] / left[:-1]]).astype(of)

    @functools.cached_property
    def kept(self) -> Table:
        """sqrt(1 - b_k), k = 0..T: what a row keeps from the level before."""
        return np.sqrt(np.float32(1.0) - self.variance)

    @functools.cached_property
    def added(self) -> Table:
        """sqrt(b_k), k = 0..T: the noise that is added to it."""
        return np.sqrt(self.variance)

    @functools.cached_property
    def signal(self) -> Table:
        """A_k, k = 0..T: what is left of the row itself."""
        return np.cumprod(self.kept, dtype=np.float32)

    @functools.cached_property
    def noise(self) -> Table:
        """sqrt(1 - A_k^2), k = 0..T: all noise in a row of a level."""
        return np.sqrt(np.float32(1.0) - self.signal**2)

    @functools.cached_property
    def posterior_tables(self) -> tuple[Table, Table, Table]:
        """For t = 0..T-1 the weights of x_0 and of x_{t+1} in the mean of x_t, and the logarithm of its variance, with a floor."""
        of = np.float32
        beta = self.variance[1:]
        left = np.cumprod(of(1.0) - beta, dtype=of)
        before = np.concatenate([[of(1.0)], left[:-1]])
        clean = beta * np.sqrt(before) / (of(1.0) - left)
        noised = (of(1.0) - before) * np.sqrt(of(1.0) - beta) / (of(1.0) - left)
        spread = np.log(np.maximum(beta * (of(1.0) - before) / (of(1.0) - left), of(_VARIANCE_FLOOR)))
        return clean, noised, spread

    def problem(self) -> str:
        """What is wrong with the schedule, naming `beta_max`; '' where float32 can compute with all of its tables."""
        finite = lambda *tables: all(np.isfinite(table).all() for table in tables)  # noqa: E731
        with np.errstate(all="ignore"):
            if not finite(self.variance):
                why = "nothing would be left of a row before the last noise level; give smaller rates"
            elif not finite(self.kept, self.added, self.signal, self.noise, *self.posterior_tables):
                why = "neighbouring noise levels would be the same; give larger rates, or fewer timesteps"
            else:
                return ""
        return f"beta_max={self.beta_max:g}: with timesteps={self.steps} and beta_min={self.beta_min:g}, in 32-bit numbers, {why}"

    def pair(self, rows: jax.Array, level: jax.Array, diffuse: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
        """x_t and x_{t+1} (..., d) of rows x_0, t in 0..T-1; `diffuse` is the noise of x_t, `step` that of the step, (..., d)."""
        noised = _at(self.signal, level) * rows + _at(self.noise, level) * diffuse
        return noised, _at(self.kept, level + 1) * noised + _at(self.added, level + 1) * step

    def posterior(self, clean: jax.Array, noised: jax.Array, level: jax.Array, noise: jax.Array) -> jax.Array:
        """x_t (..., d), drawn given x_0 = `clean` and x_{t+1} = `noised`, t in 0..T-1, with noise (..., d); x_0 at t = 0."""
        of_clean, of_noised, log_variance = self.posterior_tables
        deviation = np.exp(np.float32(0.5) * log_variance)
        deviation[0] = 0.0
        return _at(of_clean, level) * clean + _at(of_noised, level) * noised + _at(deviation, level) * noise

    def signal_at(self, level: jax.Array) -> jax.Array:
        """A_t (...)."""
        return jnp.asarray(self.signal)[level]


def _at(table: Table, level: jax.Array) -> jax.Array:
    found = jnp.asarray(table)[level]
    return found[..., None] if found.ndim else found


def time_embedding(steps: int, width: int) -> np.ndarray:
    """[cos(t w_k), sin(t w_k)] of levels t = 0..T-1, (T, width) float32; w_k = 10000^(-k / h), k = 0..h-1, h = width // 2, and one
    0 behind them where the width is odd."""
    half = width // 2
    frequencies = np.exp(-np.log(_PERIOD) * np.arange(half) / half).astype(np.float32) if half else np.zeros(0, np.float32)
    angles = np.arange(steps, dtype=np.float32)[:, None] * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles), np.zeros((steps, width % 2))], axis=1).astype(np.float32)
