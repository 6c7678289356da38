"""What the training in PyTorch of torch_oracle.py is told: which losses, with which weights, and the settings of its optimisers."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Options:
    """What is trained and how; the defaults are the released D3GZSL's.

    Attributes:
        base: 'wgan' or 'cegzsl'.
        weight_cls, weight_od, weight_be, weight_kl: of the terms of L_D3; with all at 0 there is no D3.
        weight_instance, weight_class: of CE-GZSL's terms in the generator phase.
        variant, score, target, temperature: of L_D3.
        comparator_gradient: 'released' (summed over an epoch) or 'fresh'.
        factor_*: what a learning rate is multiplied by at the end of every `decay_every`-th epoch.
        explicit_penalty: for speed, the penalty's gradient in closed form instead of by a second backward pass, and real and
            synthesized rows through the critic as one batch.
        compile: pass the losses through torch.compile; implies explicit_penalty.
    """

    base: str = "wgan"
    n_syn: int = 5
    weight_cls: float = 1e-4
    weight_od: float = 1e-4
    weight_be: float = 1e-4
    weight_kl: float = 1e-4
    variant: str = "released"
    score: str = "msp"
    target: str = "class"
    temperature: float = 1.0
    penalty_weight: float = 10.0
    weight_instance: float = 0.001
    weight_class: float = 0.001
    temperature_instance: float = 0.1
    temperature_class: float = 0.1
    comparator_gradient: str = "released"
    learning_rate: float = 1e-4
    beta1: float = 0.5
    beta2: float = 0.999
    factor_generator: float = 1.09
    factor_critic: float = 1.09
    factor_student: float = 0.98
    factor_confidence: float = 0.99
    decay_every: int = 20
    explicit_penalty: bool = False
    compile: bool = False

    @property
    def d3(self) -> bool:
        """Whether any term of L_D3 has weight."""
        return any((self.weight_cls, self.weight_od, self.weight_be, self.weight_kl))
