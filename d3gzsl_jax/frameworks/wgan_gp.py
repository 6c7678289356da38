"""The losses of WGAN-GP (Gulrajani et al. 2017) for a critic of features and class semantics, as several methods share them."""

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.class_rows import once_per_class
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.losses import adversarial


def critic_loss(
    params: Params, condition: jax.Array, real: jax.Array, fake: jax.Array, interpolation: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """mean D(x~, a) - mean D(x, a), and the unweighted penalty mean (||grad D(x^, a)|| - 1)^2.

    Args:
        params: of D, a `networks.Critic`.
        condition: (B, hidden), of `condition_rows` or of another network: what is added to the first layer on features.
        real, fake: (B, dx).
        interpolation: (B, 1) in [0, 1), the share of the real row in x^.
    """
    with jax.named_scope("critic"):
        # The output's bias shifts all scores alike: the loss is a difference of means and does not see it.
        return adversarial.two_layer_critic_loss(*_of_layers(params, condition, real, fake, interpolation))


def critic_differences(
    params: Params, condition: jax.Array, real: jax.Array, fake: jax.Array, interpolation: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """D(x, a) - D(x~, a) of each row (B,), and the unweighted penalty; arguments as of `critic_loss`, the critic being any of two
    layers that names its parameters as `networks.Critic` does."""
    return adversarial.two_layer_critic_differences(*_of_layers(params, condition, real, fake, interpolation))


def _of_layers(
    params: Params, condition: jax.Array, real: jax.Array, fake: jax.Array, interpolation: jax.Array
) -> tuple[float, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]:
    of = params["params"]
    layers = of["hidden_features"]["kernel"], condition, of["hidden_bias"], of["output"]["kernel"][:, 0]
    return networks.NEGATIVE_SLOPE, *layers, jnp.stack([real, fake]), interpolation


def generator_loss(critic: networks.Critic, params: Params, condition: jax.Array, fake: jax.Array) -> jax.Array:
    """- mean D(x~, a); arguments as of `critic_loss`."""
    apply = lambda method, *inputs: networks.apply(critic, params, *inputs, method=method)  # noqa: E731
    with jax.named_scope("critic"):
        hidden = apply("project_features", fake) + condition
        scores = apply("score", hidden)
    return adversarial.generator_adversarial_loss(scores)


def condition_rows(critic: networks.Critic, params: Params, classes: Classes, labels: jax.Array) -> jax.Array:
    """The part (B, hidden) of the critic's first layer that belongs to the semantics of rows of seen classes, by their ids (B,)."""
    project = lambda semantics: networks.apply(critic, params, semantics, method="project_semantics")  # noqa: E731
    with jax.named_scope("critic"):
        return once_per_class(project, classes, labels)
