"""The embedded digits: 7 seen and 3 unseen handwritten digits, 21 stroke attributes; no download, seconds to run.

    python -m d3gzsl_jax.main --config=configs/digits.py   (configs/digits.py:base without D3, :cegzsl on CE-GZSL)

No paper has such a benchmark. Expected: docs/components.md has the figures over 5 seeds. The settings
were chosen by tools/digits/settings.py on classes held out among the seven seen digits, never on the test rows or the unseen
digits; on CE-GZSL widths are in proportion, and weights and temperatures its own.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants

FRAMEWORKS = {
    "wgan": {},
    "cegzsl": recipes.cegzsl(
        batch_size=64, decay_every=100, n_syn=300, epochs=20, train__steps_per_call=16,
        cegzsl__projection=64, cegzsl__comparator_hidden=128, distillation__n_syn=100, classifier__batch_size=100,
        eval__every_epochs=5,
    ),
}  # fmt: skip
"""What differs by framework, as values by dotted field."""


def get_config(variant: str = "d3") -> ConfigDict:
    """Small networks for 64 grey values."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "digits"
    config.data.source = "digits"
    config.data.root = ""
    config.data.semantics = "att"
    config.data.pipeline = "device"  # the batches of tf.data to the bit, without the seconds TensorFlow takes to start
    config.networks.noise = 64
    config.networks.generator_hidden = 32
    config.networks.critic_hidden = 256
    config.networks.embedding = 128
    config.teacher.batch_size = 64
    config.teacher.learning_rate = 1e-3
    config.train.epochs = 20
    config.train.batch_size = 64
    config.train.learning_rate = 1e-3
    config.distillation.n_syn = 100
    config.classifier.batch_size = 100
    config.eval.every_epochs = 5
    config.eval.fold_classes = 0.3  # two of the seven
    return chosen.applied(config)
