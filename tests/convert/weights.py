"""Weights in PyTorch's layout, and the command that converts them."""

import numpy as np

from d3gzsl_jax.main import main
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model_commands import run_mode
from tests.runs.test_model import OPTIONS

CONFIG = """
from configs import digits

def get_config():
    config = digits.get_config({variant!r})
    config.framework = {framework!r}
    config.networks.embedding, config.networks.critic_hidden = 24, 20
    config.distillation.n_syn = 5
    config.train.epochs, config.eval.every_epochs, config.classifier.epochs = 1, 1, 1
    config.log.report = False
    return config
"""
KINDS = {"wgan": ("wgan", "d3"), "cegzsl": ("cegzsl", "d3"), "cegzsl alone": ("cegzsl", "base")}


def convert(*arguments):
    return main(["convert", "to-jax", *map(str, arguments)])


def assert_same(found, arrays):
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key].reshape(array.shape), array, err_msg=key)


def mode(name, **given):
    run_mode(name, OPTIONS | given, Display(quiet=True))


def linear(arrays, layer, x):
    return x @ arrays[f"{layer}.weight"].T + arrays[f"{layer}.bias"]


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
