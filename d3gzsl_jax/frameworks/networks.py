"""Flax Linen modules of D3GZSL: sizes in, arrays out; no losses and no configuration here.

All linear layers have biases. LReLU is leaky ReLU with slope 0.2. Two initialisations occur: N(0, 0.02^2) weights with zero
biases (generator, critic, comparator, embeddings, projection, linear classifiers unless told otherwise) and
U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases (student head: PyTorch's default for linear layers).
"""

from typing import Any

import jax
from flax import linen as nn

from d3gzsl_jax.precision import EXACT, dense_product, product

NEGATIVE_SLOPE = 0.2
NORMAL = nn.initializers.normal(0.02)
# U(-b, b), b = 0.5 sqrt(6 / (inputs + outputs)), has the variance b^2 / 3 = 0.5^2 / ((inputs + outputs) / 2).
XAVIER = nn.initializers.variance_scaling(0.5**2, "fan_avg", "uniform")
OUTPUTS = ("relu", "sigmoid", "linear")
"""What a generator may end in."""


def activated(outputs: jax.Array, kind: str) -> jax.Array:
    """Outputs of a last layer (..., d) through one of OUTPUTS."""
    return {"relu": nn.relu, "sigmoid": nn.sigmoid, "linear": lambda x: x}[kind](outputs)


def apply(network: nn.Module, params: Any, *inputs: Any, method: str | None = None) -> Any:
    """What the network, or one of its methods, makes of the inputs. (Flax's own `apply` may also return changed variables, which
    there are none of here, and so its type says neither.)"""
    return network.apply(params, *inputs, method=method)


def dense(
    features: int, name: str | None = None, use_bias: bool = True, kernel_init: nn.initializers.Initializer = NORMAL
) -> nn.Dense:
    """A linear layer at the precision in force, its bias 0 at first."""
    return nn.Dense(
        features, use_bias=use_bias, kernel_init=kernel_init, bias_init=nn.initializers.zeros, name=name, dot_general=dense_product
    )


class _Linear(nn.Module):
    """The parameters of a linear layer, for one that is used by parts: kernel (inputs, outputs) and bias (outputs,)."""

    inputs: int
    outputs: int

    def setup(self) -> None:
        self.kernel = self.param("kernel", NORMAL, (self.inputs, self.outputs))
        self.bias = self.param("bias", nn.initializers.zeros, (self.outputs,))


class Generator(nn.Module):
    """G(z, a) = ReLU(Linear(LReLU(Linear([z, a])))): noise (n, dz) and semantics (n, da) to features (n, dx) >= 0. With another
    `ends_in` than 'relu', one of OUTPUTS, that stands in the place of the last ReLU.

    The first layer is computed as the sum of its parts, z W_z + a W_a + bias, which is the same map: the part of the semantics
    depends on the class alone, so rows of one class can share it. Its kernel is one matrix, the rows of the noise first.
    """

    noise: int
    semantics: int
    width: int
    features: int
    ends_in: str = "relu"

    def setup(self) -> None:
        self.hidden = _Linear(self.noise + self.semantics, self.width)
        self.output = dense(self.features)

    def __call__(self, noise: jax.Array, semantics: jax.Array) -> jax.Array:
        return self.generate(self.condition(semantics), noise)

    def condition(self, semantics: jax.Array) -> jax.Array:
        """a W_a + bias: (n, da) to (n, width)."""
        return product(semantics, self.hidden.kernel[self.noise :]) + self.hidden.bias[None]

    def generate(self, conditioned: jax.Array, noise: jax.Array) -> jax.Array:
        """Features (..., dx) from what `condition` made of the semantics, (..., width), and noise (..., dz)."""
        hidden = product(noise, self.hidden.kernel[: self.noise]) + conditioned
        return activated(self.output(nn.leaky_relu(hidden, NEGATIVE_SLOPE)), self.ends_in)


class Critic(nn.Module):
    """D(x, a) = Linear(LReLU(Linear([x, a]))): features (n, dx) and semantics (n, da) to scores (n,).

    The first layer is kept as the sum of its parts, x W_x + a W_a + bias, which is the same map: the part of the semantics is
    shared by real, synthesized and interpolated rows of a batch, and the first layer of an interpolate is the interpolation of
    two first layers already computed. The bias comes last, so that its gradient is a sum over real rows plus one over synthesized
    rows, as in PyTorch: where the two cancel but for rounding, Adam turns what is left into a step that can be seen.
    """

    hidden: int

    def setup(self) -> None:
        self.hidden_features = dense(self.hidden, use_bias=False)
        self.hidden_semantics = dense(self.hidden, use_bias=False)
        self.hidden_bias = self.param("hidden_bias", nn.initializers.zeros, (self.hidden,))
        self.output = nn.Dense(1, kernel_init=NORMAL, precision=EXACT)  # a product with one vector: always float32

    def __call__(self, features: jax.Array, semantics: jax.Array) -> jax.Array:
        return self.score(self.project_features(features) + self.project_semantics(semantics))

    def project_features(self, features: jax.Array) -> jax.Array:
        """x W_x: (n, dx) to (n, hidden), linear in x."""
        return self.hidden_features(features)

    def project_semantics(self, semantics: jax.Array) -> jax.Array:
        """a W_a: (n, da) to (n, hidden)."""
        return self.hidden_semantics(semantics)

    def score(self, projected: jax.Array) -> jax.Array:
        """The rest of the network: sums of both projections (n, hidden) to scores (n,)."""
        return self.output(nn.leaky_relu(projected + self.hidden_bias[None], NEGATIVE_SLOPE))[..., 0]


class Comparator(Critic):
    """F([h, a]) = Linear(LReLU(Linear([h, a]))) of CE-GZSL: embeddings (n, width) in place of features, otherwise as the critic."""


class Embedding(nn.Module):
    """E(x) = ReLU(Linear(x)): features (n, dx) to embeddings (n, width) >= 0; of the teacher, the student and CE-GZSL."""

    width: int

    @nn.compact
    def __call__(self, features: jax.Array) -> jax.Array:
        return nn.relu(dense(self.width, "linear")(features))


def embed(width: int, params: Any, rows: jax.Array) -> jax.Array:
    """E(x) (n, width) of rows (n, d) that begin with the features (n, dx): what stands behind these is not looked at."""
    features = params["params"]["linear"]["kernel"].shape[0]
    return apply(Embedding(width=width), params, rows[..., :features])


class Projection(nn.Module):
    """Linear: embeddings (n, width) to (n, size), before they are scaled to unit length (CE-GZSL)."""

    size: int

    @nn.compact
    def __call__(self, embedding: jax.Array) -> jax.Array:
        return dense(self.size, "linear")(embedding)


class LinearClassifier(nn.Module):
    """Linear: features or embeddings (n, d) to logits (n, classes); C_o of the teacher, and the softmax classifiers."""

    classes: int
    kernel_init: nn.initializers.Initializer = NORMAL

    @nn.compact
    def __call__(self, inputs: jax.Array) -> jax.Array:
        return dense(self.classes, "linear", kernel_init=self.kernel_init)(inputs)
