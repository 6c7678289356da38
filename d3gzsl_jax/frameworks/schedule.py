"""How a base method says what an outer step does: phases of updates, the random numbers they take, the optimisers of its groups."""

import dataclasses
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from flax.core import FrozenDict

KINDS = ("normal", "uniform", "integers")


@dataclasses.dataclass(frozen=True)
class Draw:
    """Random numbers of one name.

    Attributes:
        kind: 'normal', N(0, 1); 'uniform', U[0, 1); 'integers', int32 in [0, high).
        shape: of one row's.
        high: of integers.
    """

    kind: str
    shape: tuple[int, ...] = ()
    high: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS or (self.kind == "integers") != (self.high > 0):
            known = ", ".join(KINDS)
            raise ValueError(f"Draw kind {self.kind!r}, high {self.high}: expected one of {known}, high for integers alone")

    def sample(self, key: jax.Array, rows: int) -> jax.Array:
        """(rows, *shape) of them."""
        if self.kind == "integers":
            return jax.random.randint(key, (rows, *self.shape), 0, self.high)
        return {"normal": jax.random.normal, "uniform": jax.random.uniform}[self.kind](key, (rows, *self.shape), jnp.float32)


Draws = Mapping[str, Draw]


@dataclasses.dataclass(frozen=True)
class Update:
    """One optimiser update: one backward pass, after which its groups step together.

    Attributes:
        name: of the loss, `NAME_loss` of the method.
        groups: parameter groups of the method that step.
        distilled: whether L_D3 is added to the loss and D3's groups step too.
    """

    name: str
    groups: tuple[str, ...]
    distilled: bool = True


@dataclasses.dataclass(frozen=True)
class Phase:
    """Updates that follow one another on one batch.

    Attributes:
        name: of its terms in the log.
        updates: in their order; each sees what those before it changed.
        draws: by name, the random numbers of its updates, for each row of the batch.
        new_batch: whether each repeat has a batch of its own; else it sees the last batch of the phase before it, once.
        repeats: how often it is gone through; None: config.train.n_critic times.
        made_ahead: whether what all its repeats synthesize may be made in one go, before the first, because nothing it is made of
            is trained in this phase.
        number: of the pass, for a method whose passes differ.
    """

    name: str
    updates: tuple[Update, ...]
    draws: Draws
    new_batch: bool = True
    repeats: int | None = None
    made_ahead: bool = False
    number: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "draws", FrozenDict(self.draws))  # hashable, as what a compiled function takes

    @property
    def distilled(self) -> bool:
        """Whether any of its updates is."""
        return any(update.distilled for update in self.updates)

    def count(self, n_critic: int) -> int:
        """How often it is gone through."""
        return (self.repeats or n_critic) if self.new_batch else 1


@dataclasses.dataclass(frozen=True)
class AdamRule:
    """How a parameter group is stepped, where that is not by the run's settings.

    Attributes:
        learning_rate: None: config.train.learning_rate.
        beta1: None: config.train.beta1.
        amsgrad: whether the second moment is replaced by its running maximum (Reddi et al. 2018).
        summed: what Adam is given instead of a gradient: 'no', the gradient itself; 'epoch', the sum of the gradients since the
            epoch began; 'always', their sum since training began.
    """

    learning_rate: float | None = None
    beta1: float | None = None
    amsgrad: bool = False
    summed: str = "no"


def check_phases(passes: Sequence[tuple[Phase, ...]]) -> None:
    """Refuses phases an outer step cannot go through.

    Args:
        passes: the phases of each pass of an epoch.

    Raises:
        ValueError: naming what is wrong.
    """
    for number, phases in enumerate(passes):
        if not phases or not phases[0].new_batch:
            raise ValueError(f"pass {number}: its first phase must have new batches: there is no last one yet")
        for phase in phases:
            if not phase.updates:
                raise ValueError(f"phase {phase.name!r} of pass {number} has no update")
            if phase.repeats is not None and (phase.repeats < 1 or not phase.new_batch):
                raise ValueError(f"phase {phase.name!r} of pass {number}: repeats={phase.repeats} needs new batches and at least 1")
        shape, first = ([(phase.name, phase.new_batch, phase.repeats) for phase in of] for of in (phases, passes[0]))
        if shape != first:
            raise ValueError(f"pass {number} has the phases {shape}, pass 0 {first}: names, batches and repeats must be the same")


def new_batches(phases: tuple[Phase, ...], n_critic: int) -> int:
    """Batches of an outer step."""
    return sum(phase.count(n_critic) for phase in phases if phase.new_batch)


def repeats(phases: tuple[Phase, ...], batches: int) -> list[int]:
    """By phase, how often it is gone through in an outer step with so many batches."""
    free = [phase for phase in phases if phase.new_batch and phase.repeats is None]
    n_critic = (batches - new_batches(tuple(phase for phase in phases if phase not in free), 1)) // max(len(free), 1)
    return [phase.count(n_critic) for phase in phases]
