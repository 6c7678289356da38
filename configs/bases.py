"""What the published code of a base method has in common over its benchmarks: where configuration files start, not one itself."""

from ml_collections import ConfigDict


def fclswgan(config: ConfigDict, *, n_syn: int) -> ConfigDict:
    """f-CLSWGAN: batches of 64, constant learning rates. Its code uses one number for the synthesized rows of a class and for the
    final classifier's batch."""
    config.framework = "fclswgan"
    config.train.batch_size = 64
    config.train.update(generator_factor=1.0, critic_factor=1.0, student_factor=1.0, confidence_factor=1.0)
    config.classifier.n_syn = config.classifier.batch_size = n_syn
    config.eval.every_epochs = 5
    return config


def cegzsl(config: ConfigDict, *, batch_size: int, decay_every: int, n_syn: int, epochs: int) -> ConfigDict:
    """CE-GZSL: all learning rates x 0.99 at the end of every `decay_every`-th epoch; 50 synthesized rows per unseen class in D3's
    terms (the released D3 options for CE-GZSL on CUB). Its code, too, uses one number for the synthesized rows of a class and for
    the final classifier's batch."""
    config.framework = "cegzsl"
    config.train.batch_size = batch_size
    config.train.decay_every = decay_every
    config.train.epochs = epochs
    config.train.update(generator_factor=0.99, critic_factor=0.99, student_factor=0.99, confidence_factor=0.99)
    config.train.steps_per_call = 4
    config.distillation.n_syn = 50
    config.classifier.n_syn = config.classifier.batch_size = n_syn
    config.eval.every_epochs = 10
    return config
