"""Recordings of published loops in tests/golden, and the parameters in them as our networks name them.

A layout says, for each network of the recording, which layer of ours each of its layers is.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests.conftest import GOLDEN

VAEGAN = {
    "encoder": {"fc1": "hidden", "fc3": "latent_hidden", "linear_means": "mean", "linear_log_var": "log_variance"},
    "generator": {"fc1": "hidden", "fc3": "output"},
    "critic": {"fc1": ("hidden_features", "hidden_semantics", "hidden_bias"), "fc2": "output"},
    "feedback": {"fc1": "hidden", "fc2": "output"},
    "decoder": {"fc1": "hidden", "fc3": "output"},
}
_ENCODER, _DECODER = {"fc1": "hidden", "mu": "mean", "logvar": "log_variance"}, {"fc1": "hidden", "fc2": "output"}
CADA_VAE = {
    "encoder_features": _ENCODER, "encoder_semantics": _ENCODER, "decoder_features": _DECODER, "decoder_semantics": _DECODER,
}


@functools.cache
def recording(name):
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return dict(arrays)


def layer(ours, weight, bias, split):
    """A linear layer as we name its parameters: kernel and bias, or, of one over [x, a], two kernels and a bias of their own."""
    if isinstance(ours, str):
        return {ours: {"kernel": weight.T, "bias": bias}}
    of_features, of_semantics, of_bias = ours
    return {of_features: {"kernel": weight[:, :split].T}, of_semantics: {"kernel": weight[:, split:].T}, of_bias: bias}


def network(arrays, prefix, layout, split):
    """The parameters below `prefix`, or the gradients, as a tree of ours; `split`: features in an input [features, semantics]."""
    tree = {}
    for theirs, ours in layout.items():
        tree |= layer(ours, arrays[f"{prefix}/{theirs}.weight"], arrays[f"{prefix}/{theirs}.bias"], split)
    return jax.tree.map(jnp.asarray, {"params": tree})


def parameters(arrays, layouts, step):
    """{network: parameters} before update number `step`, each as the last update that stepped it left it."""
    split = arrays["data/train_feature"].shape[1]

    def last(name):
        any_layer = next(iter(layouts[name]))
        for earlier in range(step - 1, -1, -1):
            if f"step{earlier:03d}/after/{name}/{any_layer}.weight" in arrays:
                return f"step{earlier:03d}/after/{name}"
        return f"init/{name}"

    return {name: network(arrays, last(name), layout, split) for name, layout in layouts.items()}


def gradients(arrays, layouts, step):
    """{network: gradients} that update number `step` recorded."""
    split, prefix = arrays["data/train_feature"].shape[1], f"step{step:03d}/grad"
    names = {key.split("/")[2] for key in arrays if key.startswith(prefix + "/")}
    return {name: network(arrays, f"{prefix}/{name}", layouts[name], split) for name in names}
