"""CE-GZSL (Han et al. 2021, arXiv 2103.16173): WGAN-GP, and an embedding learned by instance-wise and class-wise contrast."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.class_rows import seen_index
from d3gzsl_jax.frameworks.conditional_gan import ConditionalGAN
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, linear, split
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses import contrastive
from d3gzsl_jax.losses.pairwise import unit_rows

_NORM_FLOOR = 1e-12


@dataclasses.dataclass(frozen=True)
class CEGZSL(ConditionalGAN):
    """L_D = WGAN-GP + L_ins(z'(x)) + L_cl(h(x)), which critic, embedding, projection and comparator minimise together;
    L_G = - mean D(x~, a) + weight_instance * L_ins([z'(x~); z'(x)]) + weight_class * L_cl(h(x~)).

    h = E(x) is the embedding, z' its projection to unit length, and the comparator F([h, a_c]) scores it against every seen class.
    """

    projection: int = 512
    comparator_hidden: int = 2048
    weight_instance: float = 0.001
    weight_class: float = 0.001
    temperature_instance: float = 0.1
    temperature_class: float = 0.1
    comparator_gradient: str = "released"

    critic_groups: ClassVar[tuple[str, ...]] = ("critic", "embedding", "projection", "comparator")
    embedding_groups: ClassVar[tuple[str, ...]] = ("embedding",)

    def adam(self, group: str) -> AdamRule:
        """The published code zeroes the comparator's gradient once an epoch only ('released'; 'fresh' zeroes it every update)."""
        return AdamRule(summed="epoch") if group == "comparator" and self.comparator_gradient == "released" else AdamRule()

    @property
    def embedding(self) -> networks.Embedding:
        """E at the width of this method."""
        return networks.Embedding(width=self.sizes.embedding)

    @property
    def projector(self) -> networks.Projection:
        """The linear map before z' is scaled to unit length."""
        return networks.Projection(size=self.projection)

    @property
    def comparator(self) -> networks.Comparator:
        """F at the width of this method."""
        return networks.Comparator(hidden=self.comparator_hidden)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'generator', 'critic', 'embedding', 'projection' and 'comparator'."""
        x, h, a = (jnp.zeros((1, n)) for n in (self.sizes.features, self.sizes.embedding, self.sizes.semantics))
        return super().init(key) | {
            "embedding": self.embedding.init(stream(key, "embedding"), x),
            "projection": self.projector.init(stream(key, "projection"), h),
            "comparator": self.comparator.init(stream(key, "comparator"), h, a),
        }

    @classmethod
    def torch_layout(cls) -> Layout:
        """The embedding and its projection are one network there."""
        own = {"embedding": linear(linear="embed/fc1"), "projection": linear(linear="embed/fc2"), "comparator": split("comparator")}
        return {**super().torch_layout(), **own}

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """h = E(x), (n, width)."""
        with jax.named_scope("embedding"):
            return networks.apply(self.embedding, params["embedding"], features)

    def project(self, params: Params, embedding: jax.Array) -> jax.Array:
        """z' (n, projection): unit rows."""
        with jax.named_scope("projection"):
            return unit_rows(networks.apply(self.projector, params["projection"], embedding), _NORM_FLOOR)

    def class_contrast(self, params: Params, classes: Classes, embedding: jax.Array, labels: jax.Array) -> jax.Array:
        """L_cl of embeddings (n, width) with labels (n,), original ids of seen classes.

        F's output bias is left out: a softmax over classes does not see it, so its gradient is exactly 0 and it keeps its initial
        value, where the published code feeds rounding noise of that gradient to Adam.
        """
        with jax.named_scope("comparator"):
            of, inner = params["comparator"], params["comparator"]["params"]
            rows = networks.apply(self.comparator, of, embedding, method="project_features")
            columns = networks.apply(self.comparator, of, classes.semantics[classes.seen], method="project_semantics")
            columns = columns + inner["hidden_bias"][None]
            scores = contrastive.pair_scores(rows, columns, inner["output"]["kernel"][:, 0], networks.NEGATIVE_SLOPE)
            return contrastive.class_contrast(scores, seen_index(classes, labels), self.temperature_class)

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_D with the terms of WGAN-GP, 'instance_contrast' and 'class_contrast'."""
        loss, terms = self.adversarial_critic_loss(params, inputs)
        assert inputs.real_embedding is not None  # this method has an embedding
        projected = self.project(params, inputs.real_embedding)
        instance = contrastive.instance_contrast(projected, inputs.batch.labels, self.temperature_instance)
        of_classes = self.class_contrast(params, inputs.classes, inputs.real_embedding, inputs.batch.labels)
        return loss + instance + of_classes, terms | {"instance_contrast": instance, "class_contrast": of_classes}

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_G with the terms 'adversarial', 'instance_contrast' and 'class_contrast' (unweighted). Real rows are constants."""
        loss, terms = self.adversarial_generator_loss(params, inputs)
        assert inputs.fake_embedding is not None and inputs.real_embedding is not None
        projected = self.project(params, jnp.concatenate([inputs.fake_embedding, inputs.real_embedding]))
        labels = jnp.concatenate([inputs.batch.labels, inputs.batch.labels])
        instance = contrastive.instance_contrast(projected, labels, self.temperature_instance)
        of_classes = self.class_contrast(params, inputs.classes, inputs.fake_embedding, inputs.batch.labels)
        total = loss + self.weight_instance * instance + self.weight_class * of_classes
        return total, terms | {"instance_contrast": instance, "class_contrast": of_classes}
