"""f-CLSWGAN (Xian et al. 2018, arXiv 1712.00981): WGAN-GP, and a frozen classifier of seen classes the generator has to satisfy."""

import dataclasses
from typing import Any

import jax

from d3gzsl_jax.frameworks.class_rows import seen_index
from d3gzsl_jax.frameworks.conditional_gan import ConditionalGAN
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.classification import classification_loss


@dataclasses.dataclass(frozen=True)
class FCLSWGAN(ConditionalGAN):
    """L_D as WGAN-GP; L_G = - mean D(x~, a) + classification_weight * NLL(softmax(W x~), y), W fitted to real seen rows first."""

    classification_weight: float = 0.01
    classifier_epochs: int = 50
    classifier_batch_size: int = 100
    classifier_learning_rate: float = 1e-3

    @property
    def classifier(self) -> SoftmaxTraining:
        """The softmax classifier of seen classes, on features."""
        return SoftmaxTraining(
            classes=self.sizes.seen, epochs=self.classifier_epochs, batch_size=self.classifier_batch_size,
            learning_rate=self.classifier_learning_rate,
        )

    @classmethod
    def torch_layout(cls) -> Layout:
        """{}: the frozen classifier has no place there."""
        return {}

    def pretrain(self, key: jax.Array, features: Any, seen_index: Any) -> Params:
        """The frozen group 'seen_classifier'."""
        return {"seen_classifier": self.classifier.fit(stream(key, "seen_classifier"), features, seen_index)}

    def pretrain_words(self, rows: int) -> int:
        """The order in which that classifier goes through the rows."""
        return rows * self.classifier_epochs

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_D with the terms 'wasserstein' and 'gradient_penalty'."""
        return self.adversarial_critic_loss(params, inputs)

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_G with the terms 'adversarial' and 'classification' (unweighted)."""
        loss, terms = self.adversarial_generator_loss(params, inputs)
        logits = self.classifier.logits(params["seen_classifier"], inputs.fakes)
        classification = classification_loss(logits, seen_index(inputs.classes, inputs.batch.labels))
        return loss + self.classification_weight * classification, terms | {"classification": classification}
