"""A step on some of the unseen classes instead of all: what keeps its cost apart from how many there are.

With u unseen classes, n of them are drawn for an outer step, all alike. Rows are synthesized for those; losses/pairwise.py and
`Distillation.terms` weigh rows and pairs so that L_D3 is that of all classes in expectation. The student's head can stay whole
(`head='all'`, exact: its cost, that of one linear layer, still grows with u) or be `narrow`ed to the columns of the seen and the
sampled classes.
"""

from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.class_rows import seen_index
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, TrainState
from d3gzsl_jax.keys import stream


def sample_unseen(root: jax.Array, step: jax.Array, classes: Classes, count: int) -> Classes:
    """The classes of outer step `step`: `count` unseen ones, drawn without replacement, ascending; all of them if 0 or as many."""
    if count in (0, classes.unseen.shape[0]):
        return classes
    key = jax.random.fold_in(stream(root, "unseen_classes"), step)
    return classes.replace(unseen=jnp.sort(jax.random.choice(key, classes.unseen, (count,), replace=False)))


def narrow(state: TrainState, classes: Classes, batches: Batch) -> tuple[TrainState, Classes, Batch]:
    """The step's problem on its own classes alone: the seen ones get the ids 0..S-1, the sampled ones S..S+n-1.

    The student's head and its Adam state keep the columns of these classes. The other columns rest until their class is drawn:
    without a gradient they neither move nor decay (as in "lazy" Adam).
    """
    columns = jnp.concatenate([classes.seen, classes.unseen])
    seen, count = classes.seen.shape[0], columns.shape[0]
    ids = jnp.arange(count, dtype=classes.seen.dtype)
    few = classes.replace(semantics=classes.semantics[columns], seen=ids[:seen], unseen=ids[seen:])
    return (
        _over_heads(lambda head: _columns(head, columns), state),
        few,
        batches.replace(labels=seen_index(classes, batches.labels).astype(batches.labels.dtype)),
    )


def widen(few: TrainState, whole: TrainState, classes: Classes) -> TrainState:
    """The state after a narrowed step, its columns put back among those of `whole`, the state before it."""
    columns = jnp.concatenate([classes.seen, classes.unseen])
    return _over_heads(lambda old, new: _put(old, new, columns), whole, few)


def _over_heads(function: Any, first: TrainState, *others: TrainState) -> TrainState:
    """The last state given, with `function` of the heads of all of them, and of the moments of their Adam."""
    last = (first, *others)[-1]
    states = [state.opt_state["student_head"] for state in (first, *others)]
    head = function(*(state.params["student_head"] for state in (first, *others)))
    moments = {name: function(*(getattr(adam, name) for adam in states)) for name in ("mu", "nu")}
    return last.replace(
        params=last.params | {"student_head": head},
        opt_state=last.opt_state | {"student_head": states[-1]._replace(**moments)},
    )


def _columns(head: Params, columns: jax.Array) -> Params:
    classifier, ood = (head["params"][part]["linear"] for part in ("classifier", "ood"))
    return _head(
        classifier["kernel"][:, columns], classifier["bias"][columns], ood["kernel"][columns], ood["bias"]
    )


def _put(old: Params, new: Params, columns: jax.Array) -> Params:
    classifier, ood = (old["params"][part]["linear"] for part in ("classifier", "ood"))
    of, to = (new["params"][part]["linear"] for part in ("classifier", "ood"))
    at = {"unique_indices": True, "mode": "promise_in_bounds"}
    return _head(
        classifier["kernel"].at[:, columns].set(of["kernel"], **at), classifier["bias"].at[columns].set(of["bias"], **at),
        ood["kernel"].at[columns].set(to["kernel"], **at), to["bias"],
    )


def _head(kernel: jax.Array, bias: jax.Array, ood_kernel: jax.Array, ood_bias: jax.Array) -> Params:
    classifier, ood = {"kernel": kernel, "bias": bias}, {"kernel": ood_kernel, "bias": ood_bias}
    return {"params": {"classifier": {"linear": classifier}, "ood": {"linear": ood}}}
