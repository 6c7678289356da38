"""FREE (Chen et al. 2021, arXiv 2107.13807): f-VAEGAN-D2, a refiner of features, and a centre for each seen class."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks, vae_networks
from d3gzsl_jax.frameworks.class_rows import seen_index
from d3gzsl_jax.frameworks.conditional_vaegan import ConditionalVAEGAN
from d3gzsl_jax.frameworks.row_noise import row_noise
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase, Update
from d3gzsl_jax.frameworks.structures import Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, Leaf, linear
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.centers import center_loss, nearest_other, squared_distances
from d3gzsl_jax.losses.reconstruction import semantic_reconstruction


@dataclasses.dataclass(frozen=True)
class FREE(ConditionalVAEGAN):
    """As f-VAEGAN-D2, with weight_semantic * WL1(q(x~), a) added to L_EG, q the semantics that the refiner makes of a row, and a
    step of the refiner and of the classes' centres before each of the critic's: on real rows, on the same error and on
    weight_center * the centre loss. What is synthesized does not depend on either.

    Attributes:
        passes: over the data in an epoch, all alike.
        weight_semantic: w_rec.
        weight_center: of the centre loss.
        center_margin, center_own_share: of the centre loss: its margin, and the share of the distance to the row's own centre; the
            rest is that of the distance to another.
        center_other: which other centre: 'random', that of any seen class, the row's own among them (as published for CUB, FLO and
            SUN); 'random_other', of any but its own (as described); 'nearest', the nearest but its own (AWA1, AWA2, aPY).
        center_gradient: 'released', the sum of the centres' gradients since training began, as the published code never zeroes
            them; 'fresh', of each update alone.
        refiner_learning_rate: of the refiner; that of the centres is the run's.
        freeze_refiner: whether the refiner rests in the generator phase.
        refiner_noise: the noise in q of the rows that are classified: 'released', N(0, I), for each real row by what it holds (see
            row_noise.py); 'described', none.
        semantic_loss: see `losses.reconstruction.semantic_reconstruction`.
    """

    passes: int = 2
    weight_semantic: float = 0.001
    weight_center: float = 0.5
    center_margin: float = 200.0
    center_own_share: float = 0.8
    center_other: str = "random"
    center_gradient: str = "released"
    refiner_learning_rate: float = 1e-4
    freeze_refiner: bool = False
    refiner_noise: str = "released"
    semantic_loss: str = "released"

    @property
    def refiner(self) -> vae_networks.Refiner:
        """FR at the sizes of this method."""
        return vae_networks.Refiner(width=self.sizes.generator_hidden, semantics=self.sizes.semantics)

    @property
    def centers(self) -> vae_networks.Centers:
        """Those of the seen classes."""
        return vae_networks.Centers(classes=self.sizes.seen, width=self.sizes.semantics)

    @property
    def _noise(self) -> Draw:
        return Draw("normal", (self.sizes.semantics,))

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', n_critic times, refiner and centres before the critic; then 'generator'."""
        draws = {**self.critic_draws, "refiner_noise": self._noise}
        if self.center_other != "nearest":
            draws["other"] = Draw("integers", (), self.sizes.seen - int(self.center_other == "random_other"))
        updates = (Update("refiner", ("refiner", "centers"), distilled=False), Update("critic", ("critic",)))
        groups = ("generator", "encoder") + ("refiner",) * (not self.freeze_refiner)
        generator_draws = {**self.generator_draws, "refiner_noise": self._noise}
        return (
            Phase("critic", updates, draws, made_ahead=True),
            Phase("generator", (Update("generator", groups),), generator_draws, new_batch=False),
        )

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'encoder', 'generator', 'critic', 'refiner' and 'centers'."""
        return super().init(key) | {
            "refiner": self.refiner.init(stream(key, "refiner"), jnp.zeros((1, self.sizes.features))),
            "centers": self.centers.init(stream(key, "centers")),
        }

    @classmethod
    def torch_layout(cls) -> Layout:
        """Refiner and centres besides. The published refiner has two more layers, which nothing trains or reads."""
        own = {"refiner": linear(hidden="refiner/fc1", output="refiner/fc3"), "centers": (Leaf(("centers",), "centers/centers"),)}
        return {**super().torch_layout(), **own}

    def adam(self, group: str) -> AdamRule:
        """The refiner has a learning rate of its own, the centres a running sum for a gradient."""
        if group == "centers" and self.center_gradient == "released":
            return AdamRule(summed="always")
        return AdamRule(learning_rate=self.refiner_learning_rate) if group == "refiner" else super().adam(group)

    def refine(self, params: Params, features: jax.Array) -> vae_networks.Refined:
        """What FR makes of features (n, dx)."""
        with jax.named_scope("refiner"):
            return networks.apply(self.refiner, params["refiner"], features)

    def refiner_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """weight_center times the centre loss, plus w_rec WL1(q(x), a), of the real rows, with the terms 'center' (unweighted) and
        'semantic_real' (weighted)."""
        refined = self.refine(params, inputs.batch.features)
        distances = squared_distances(refined.mean, networks.apply(self.centers, params["centers"]))
        own = seen_index(inputs.classes, inputs.batch.labels)
        other = self._other(distances, own, inputs.draws)
        center = center_loss(distances, own, other, self.center_margin, self.center_own_share)
        semantic = self.weight_semantic * self._semantic_loss(refined, inputs)
        return self.weight_center * center + semantic, {"center": center, "semantic_real": semantic}

    def _other(self, distances: jax.Array, own: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """The places (B,) of the other centres."""
        if self.center_other == "nearest":
            return nearest_other(distances, own)
        skipped = 1 if self.center_other == "random_other" else 0
        return (own + draws["other"] + skipped) % self.sizes.seen

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_EG with the term 'semantic_fake' (unweighted) besides f-VAEGAN-D2's."""
        loss, terms = super().generator_loss(params, inputs)
        semantic = self._semantic_loss(self.refine(params, inputs.fakes.fake), inputs)
        return loss + self.weight_semantic * semantic, terms | {"semantic_fake": semantic}

    def _semantic_loss(self, refined: vae_networks.Refined, inputs: UpdateInputs) -> jax.Array:
        predicted = refined.semantics(inputs.draws["refiner_noise"])
        return semantic_reconstruction(predicted, inputs.classes.semantics[inputs.batch.labels], self.semantic_loss)

    def synthesis_draws(self) -> Draws:
        """z, and the noise in q of a synthesized row as the final classifier sees it. (Drawn, and not made of what the row holds:
        as a result of products that is not the same to the last bit on every device.)"""
        own = {"refiner_noise": self._noise} if self.refiner_noise == "released" else {}
        return {**super().synthesis_draws(), **own}

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """[x, s(x), q(x)]: (n, dx + hidden + da), a function of the row alone."""
        if self.refiner_noise == "described":
            return self.represent_with(params, features, 0.0)
        return self.represent_with(params, features, row_noise(features, self.sizes.semantics).astype(features.dtype))

    def represent_with(self, params: Params, features: jax.Array, noise: jax.Array | float) -> jax.Array:
        """[x, s(x), q(x; noise)] of features (n, dx) and noise (n, da), or 0 for none."""
        refined = self.refine(params, features)
        return jnp.concatenate([features, refined.hidden, refined.semantics(noise)], axis=-1)

    def represent_synthesized(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """[x, s(x), q(x; noise)] of x = G(z, a)."""
        return self.represent_with(params, self.synthesize(params, semantics, draws), draws.get("refiner_noise", 0.0))
