"""The training of TF-VAEGAN (arXiv 2003.07833), with and without D3, in PyTorch, from its description, as torch_oracle.py is.

It imports torch and the oracle's own files only.
"""

import dataclasses
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tools.parity_parts import torch_oracle_losses as losses
from tools.parity_parts import torch_oracle_networks
from tools.parity_parts.torch_oracle import Batch, Oracle, Terms
from tools.parity_parts.torch_oracle_networks import SLOPE, Sizes
from tools.parity_parts.torch_oracle_options import Options


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


class Encoder(nn.Module):
    """E(x, a): mean and log-variance of a latent."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        latent = sizes.noise
        self.fc1 = nn.Linear(sizes.features + sizes.semantics, sizes.generator_hidden)
        self.fc3 = nn.Linear(sizes.generator_hidden, 2 * latent)
        self.linear_means, self.linear_log_var = nn.Linear(2 * latent, latent), nn.Linear(2 * latent, latent)

    def forward(self, features: Tensor, semantics: Tensor) -> tuple[Tensor, Tensor]:
        """(n, dx) and (n, da) to two (n, dz)."""
        hidden = _leaky(self.fc3(_leaky(self.fc1(torch.cat([features, semantics], dim=1)))))
        return self.linear_means(hidden), self.linear_log_var(hidden)


class Generator(nn.Module):
    """G(z, a, f), the feedback f added to the hidden layer behind its activation."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.fc1 = nn.Linear(sizes.noise + sizes.semantics, sizes.generator_hidden)
        self.fc3 = nn.Linear(sizes.generator_hidden, sizes.features)

    def forward(self, latent: Tensor, semantics: Tensor, feedback: Tensor | float = 0.0) -> Tensor:
        """(n, dz) and (n, da) to (n, dx) in (0, 1)."""
        return torch.sigmoid(self.fc3(_leaky(self.fc1(torch.cat([latent, semantics], dim=1))) + feedback))


class Decoder(nn.Module):
    """S(x): semantics as unit rows, and the hidden layer they come from."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.fc1 = nn.Linear(sizes.features, sizes.generator_hidden)
        self.fc3 = nn.Linear(sizes.generator_hidden, sizes.semantics)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(n, dx) to (n, da) and (n, hidden)."""
        hidden = _leaky(self.fc1(features))
        out = self.fc3(hidden)
        return out / out.pow(2).sum(1, keepdim=True).sqrt(), hidden


class Feedback(nn.Module):
    """F(s)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        width = sizes.generator_hidden
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """(n, hidden) to (n, hidden)."""
        return _leaky(self.fc2(_leaky(self.fc1(hidden))))


@dataclasses.dataclass(frozen=True)
class VAEGANOptions(Options):
    """Those of TF-VAEGAN besides; see d3gzsl_jax/frameworks/tfvaegan.py for what the names mean."""

    critic_latents: str = "encoded"
    weight_critic: float = 10.0
    weight_adversarial: float = 10.0
    weight_semantic: float = 0.01
    feedback_training: float = 1.0
    learning_rate_feedback: float = 1e-5
    learning_rate_decoder: float = 1e-4


def weighted_l1(predicted: Tensor, semantics: Tensor) -> Tensor:
    """(1/B) sum_ij |d_ij| d_ij^2 / ||d_i||."""
    difference = predicted - semantics
    return (difference.abs().pow(3) / difference.norm(dim=1, keepdim=True)).sum() / len(difference)


def build_networks(base: str, d3: bool, sizes: Sizes) -> nn.ModuleDict:
    """All networks, named as in the recordings: the critic's and D3's are those on WGAN-GP."""
    own = {"encoder": Encoder, "generator": Generator, "decoder": Decoder, "feedback": Feedback}
    others = torch_oracle_networks.build_networks("wgan", d3, sizes)
    return nn.ModuleDict(dict(others.items()) | {name: kind(sizes) for name, kind in own.items()})


class VAEGANOracle(Oracle):
    """As `Oracle`; `feedback` says whether the pass under way has it, and draws are by name."""

    options: VAEGANOptions
    feedback = False
    build = staticmethod(build_networks)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.penalty_weight = self.options.penalty_weight
        self._penalties: list[Tensor] = []

    def _make_optimizers(self) -> tuple[dict[str, torch.optim.Adam], dict[str, float]]:
        o, (adam, factors) = self.options, super()._make_optimizers()
        own = {
            "encoder": (o.learning_rate, 0.9), "feedback": (o.learning_rate_feedback, o.beta1),
            "decoder": (o.learning_rate_decoder, o.beta1),
        }  # fmt: skip
        for name, (rate, beta1) in own.items():
            adam[name] = torch.optim.Adam(self.networks[name].parameters(), lr=rate, betas=(beta1, o.beta2), eps=1e-8)
        return adam, factors | dict.fromkeys(own, o.factor_generator)

    def _step(self, names: list[str], loss: Tensor) -> None:
        trained = [parameter for name in names for parameter in self.optimizers[name].param_groups[0]["params"]]
        for parameter in trained:
            parameter.grad = None
        loss.backward(inputs=trained)
        for name in names:
            self.optimizers[name].step()

    def _made(self, latent: Tensor, semantics: Tensor, source: Tensor | None = None) -> Tensor:
        """Rows of the pass under way; source: where feedback comes from in the place of a first pass."""
        generator = self.networks["generator"]
        if not self.feedback:
            return generator(latent, semantics)
        with torch.no_grad():
            hidden = self.networks["decoder"](generator(latent, semantics) if source is None else source)[1]
        return generator(latent, semantics, self.options.feedback_training * self.networks["feedback"](hidden))

    def _unseen(self, draws: dict[str, Tensor]) -> Tensor | None:
        return self._made(draws["unseen_noise"], self._semantics[self._unseen_labels]) if self.options.d3 else None

    def _total(self, loss: Tensor, terms: Terms, batch: Batch, unseen: Tensor | None) -> tuple[Tensor, Terms]:
        if unseen is None:
            return loss, terms
        return self._with_d3(loss, terms, batch, unseen, self._student_embed(torch.cat([unseen, batch.features])))

    @property
    def _students(self) -> list[str]:
        return ["student_embed", "student_head", "confidence"] if self.options.d3 else []

    def critic_update(self, batch: Batch, draws: dict[str, Tensor]) -> Terms:
        """The decoder's step, then the critic's with student and confidence."""
        o, critic, real, semantics = self.options, self.networks["critic"], batch.features, self._semantics[batch.labels]
        of_decoder = o.weight_semantic * weighted_l1(self.networks["decoder"](real)[0], semantics)
        self._step(["decoder"], of_decoder)
        with torch.no_grad():
            latent = draws["latent"]
            if o.critic_latents == "encoded":
                mean, log_variance = self.networks["encoder"](real, semantics)
                latent = mean + latent * (0.5 * log_variance).exp()
            fake, unseen = self._made(latent, semantics), self._unseen(draws)
            points = draws["interpolation"] * real + (1.0 - draws["interpolation"]) * fake
        wasserstein = critic(real, semantics).mean() - critic(fake, semantics).mean()
        penalty = losses.gradient_penalty(losses.penalty_gradients(critic, points, semantics))
        self._penalties.append(penalty.detach())
        weight = torch.tensor(self.penalty_weight)
        terms = {"wasserstein": wasserstein, "gradient_penalty": weight * penalty, "penalty": penalty, "penalty_weight": weight}
        loss, terms = self._total(o.weight_critic * (weight * penalty - wasserstein), terms, batch, unseen)
        self._step(["critic", *self._students], loss)
        terms |= {"semantic_real": of_decoder, "loss": loss}
        return {name: value.detach() for name, value in terms.items()}

    def generator_update(self, batch: Batch, draws: dict[str, Tensor]) -> Terms:
        """The penalty's weight is adapted; then encoder, generator, decoder and, in a pass with feedback, that step, with student
        and confidence."""
        self._adapt()
        o, real, semantics = self.options, batch.features, self._semantics[batch.labels]
        mean, log_variance = self.networks["encoder"](real, semantics)
        rebuilt = self._made(mean + draws["latent"] * (0.5 * log_variance).exp(), semantics)
        fake = rebuilt
        if o.critic_latents == "prior":
            fake = self._made(draws["prior"], semantics, rebuilt)
        terms = {
            "reconstruction": functional.binary_cross_entropy(rebuilt, real, reduction="sum") / len(real),
            "kl_prior": -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum() / len(real),
            "adversarial": -self.networks["critic"](fake, semantics).mean(),
            "semantic_fake": weighted_l1(self.networks["decoder"](fake)[0], semantics),
        }
        loss = terms["reconstruction"] + terms["kl_prior"]
        loss = loss + o.weight_adversarial * terms["adversarial"] + o.weight_semantic * terms["semantic_fake"]
        loss, terms = self._total(loss, terms, batch, self._unseen(draws))
        self._step(["encoder", "generator", "decoder", *(["feedback"] if self.feedback else []), *self._students], loss)
        return {name: value.detach() for name, value in (terms | {"loss": loss}).items()}

    def _adapt(self) -> None:
        mean = sum(self._penalties) / len(self._penalties)
        self._penalties.clear()
        if mean > 1.05:
            self.penalty_weight *= 1.1
        elif mean < 1.001:
            self.penalty_weight /= 1.1
