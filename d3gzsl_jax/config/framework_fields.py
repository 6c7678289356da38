"""The generative frameworks D3 plugs into, by name, each with its options: a new one is one block here."""

from typing import NamedTuple

from d3gzsl_jax.config.field_type import Field


class FrameworkFields(NamedTuple):
    """What the configuration knows of a framework.

    Attributes:
        called: its name for people.
        title: that, with its paper.
        fields: its options, called <name>.<option>; the framework's class has each as a field with the same default.
    """

    called: str
    title: str
    fields: tuple[Field, ...] = ()


FRAMEWORKS: dict[str, FrameworkFields] = {
    "wgan": FrameworkFields("WGAN-GP", "WGAN-GP (Gulrajani et al. 2017), conditioned on class semantics"),
    "fclswgan": FrameworkFields(
        "f-CLSWGAN", "f-CLSWGAN (Xian et al. 2018)",
        (
            Field(
                "fclswgan.classification_weight", 0.01,
                "Weight of the negative log-likelihood of synthesized rows under a frozen classifier of the seen classes.", low=0.0,
            ),
            Field(
                "fclswgan.classifier_epochs", 50, "Epochs that classifier is fitted to real seen rows for, before training.", low=0,
            ),
            Field("fclswgan.classifier_batch_size", 100, "Rows per update of that classifier.", low=1),
            Field("fclswgan.classifier_learning_rate", 1e-3, "Learning rate of that classifier.", low=0.0, closed=False),
        ),
    ),
    "cegzsl": FrameworkFields(
        "CE-GZSL", "CE-GZSL (Han et al. 2021)",
        (
            Field("cegzsl.projection", 512, "Size of z', the projection in which instances are contrasted.", low=1),
            Field("cegzsl.comparator_hidden", 2048, "Hidden width of the comparator of embeddings and class semantics.", low=1),
            Field(
                "cegzsl.weight_instance", 0.001,
                "Weight of the instance-wise contrastive loss L_ins in the generator phase; the critic phase has it at 1.", low=0.0,
            ),
            Field(
                "cegzsl.weight_class", 0.001,
                "Weight of the class-wise contrastive loss L_cl in the generator phase; the critic phase has it at 1.", low=0.0,
            ),
            Field("cegzsl.temperature_instance", 0.1, "Temperature of L_ins.", low=0.0, closed=False, smallest=1e-6),
            Field("cegzsl.temperature_class", 0.1, "Temperature of L_cl.", low=0.0, closed=False, smallest=1e-6),
            Field(
                "cegzsl.comparator_gradient", "released",
                "The comparator's gradient: released, summed over the updates of an epoch as the published code does; fresh, of "
                "each update alone.", words=("released", "fresh"),
            ),
        ),
    ),
}  # fmt: skip
