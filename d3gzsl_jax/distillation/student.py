"""The networks of D3's student: its head over all classes, with the out-of-distribution logits, and the confidence of O2DBD."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from d3gzsl_jax.precision import dense_product


class _TorchDense(nn.Module):
    """A linear layer initialised as PyTorch does by default: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        bound = x.shape[-1] ** -0.5

        def init(key: jax.Array, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> jax.Array:
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        return nn.Dense(self.features, kernel_init=init, bias_init=init, name="linear", dot_general=dense_product)(x)



class StudentHead(nn.Module):
    """C_s and H: logits over all classes, and the two out-of-distribution logits H(log_softmax(logits))."""

    classes: int

    def setup(self) -> None:
        self.classifier = _TorchDense(self.classes)
        self.ood = _TorchDense(2)

    def __call__(self, embedding: jax.Array, scale: jax.Array | None = None) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Class logits v, their log-probabilities and the out-of-distribution logits of embeddings.

        Args:
            embedding: (n, width).
            scale: (C,) how many classes each column stands for, where the columns are a sample of the classes: the sums over
                classes, in the softmax and in H, weigh a column by it. None: 1 each.

        Returns:
            v (n, C) by original id; log p = v - log sum_c scale_c exp(v_c), (n, C); H(scale log p), (n, 2).
        """
        logits = self.classify(embedding)
        if scale is None:
            log_probabilities = jax.nn.log_softmax(logits)
            return logits, log_probabilities, self.ood(log_probabilities)
        log_probabilities = logits - jax.nn.logsumexp(logits + jnp.log(scale)[None], axis=-1, keepdims=True)
        return logits, log_probabilities, self.ood(log_probabilities * scale[None])

    def classify(self, embedding: jax.Array) -> jax.Array:
        """Embeddings (n, width) to class logits (n, C) alone, as prediction needs them."""
        return self.classifier(embedding)



class Confidence(nn.Module):
    """c(s) = 1 / (1 + exp(-w (s + b))): scores (n,) to in-distribution confidences (n,) in (0, 1); w starts at 1, b at 0."""

    @nn.compact
    def __call__(self, score: jax.Array) -> jax.Array:
        weight = self.param("weight", nn.initializers.ones, ())
        offset = self.param("offset", nn.initializers.zeros, ())
        return nn.sigmoid(weight * (score + offset))

