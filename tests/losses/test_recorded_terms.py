"""The terms that published loops recorded come out of our losses and networks, at the recorded parameters, batches and noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks import vae_networks
from d3gzsl_jax.frameworks.adam import scale_by_amsgrad
from d3gzsl_jax.frameworks.networks import Critic, apply
from d3gzsl_jax.losses import reconstruction, variational
from d3gzsl_jax.losses.adversarial import gradient_penalty, interpolate
from d3gzsl_jax.losses.penalty_weight import adapted_exponent, penalty_weight
from tests.losses import recorded


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=5e-6)


def close_gradients(ours, theirs):
    """As an optimizer sees them: within 1e-5 of the largest entry of each array, or 2e-9 where that is rounding alone."""
    ours = {name: ours[name] for name in theirs}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max() + 2e-9), ours, theirs)


class VAEGAN:
    """One recorded update of f-VAEGAN-D2 or TF-VAEGAN: what its loss is made of, by the networks' parameters `p`."""

    def __init__(self, name, step):
        self.arrays, self.step = recorded.recording(name), step
        self.dx, self.noise = (self.config(option) for option in ("resSize", "nz"))
        width, latent = self.config("ngh"), self.config("latent_size")
        self.encoder = vae_networks.FeatureEncoder(width, latent)
        self.generator = vae_networks.SigmoidGenerator(self.noise, self.config("attSize"), width, self.dx)
        self.decoder = vae_networks.SemanticDecoder(width, self.config("attSize"))
        self.feedback, self.critic = vae_networks.Feedback(width), Critic(self.config("ndh"))
        self.x, self.a = (jnp.asarray(self.get(f"batch/{part}")) for part in ("features", "att"))
        self.encoded, self.weight = self.config("encoded_noise"), self.config("recons_weight")
        self.before = recorded.parameters(self.arrays, recorded.VAEGAN, step)
        self.after = recorded.parameters(self.arrays, recorded.VAEGAN, step + 1)

    def config(self, option):
        return self.arrays[f"config/{option}"].item()

    def get(self, part):
        return self.arrays[f"step{self.step:03d}/{part}"]

    def term(self, name):
        return self.get(f"term/{name}")

    def draws(self, name):
        return jnp.asarray(self.get(f"noise/{name}"))

    def latent(self, p):
        """A sample of the encoder's latents, and their distribution."""
        mean, log_variance = apply(self.encoder, p["encoder"], self.x, self.a)
        return variational.sample_latent(mean, log_variance, self.draws("latent")), mean, log_variance

    def made(self, p, z, source=None):
        """Rows of the generator, in the second pass with feedback from `source`, by default its own rows without."""
        conditioned = apply(self.generator, p["generator"], self.a, method="condition")
        hidden = apply(self.generator, p["generator"], conditioned, z, method="hidden_layer")
        plain = apply(self.generator, p["generator"], hidden, method="output_layer")
        if not self.get("feedback"):
            return plain
        _, semantic_hidden = apply(self.decoder, p["decoder"], plain if source is None else source)
        fed = self.config("a1") * apply(self.feedback, p["feedback"], jax.lax.stop_gradient(semantic_hidden))
        return apply(self.generator, p["generator"], hidden + fed, method="output_layer")

    def scores(self, p, rows):
        return apply(self.critic, p["critic"], rows, self.a)

    def semantic(self, p, rows):
        return reconstruction.semantic_reconstruction(apply(self.decoder, p["decoder"], rows)[0], self.a)

    def critic_loss(self, p, fake):
        mixed = interpolate(self.x, fake, self.draws("interp"))
        penalty = gradient_penalty(jax.grad(lambda rows: self.scores(p, rows).sum())(mixed))
        real, synthesized = self.scores(p, self.x).mean(), self.scores(p, fake).mean()
        loss = synthesized - real + float(self.get("penalty_weight")) * penalty
        return self.config("gammaD") * loss, (penalty, real, synthesized)

    def generator_loss(self, p):
        z, mean, log_variance = self.latent(p)
        rows = self.made(p, z)
        fake = rows if self.encoded else self.made(p, self.draws("prior"), source=rows)
        terms = {
            "reconstruction": reconstruction.binary_cross_entropy(rows, self.x),
            "kl": variational.gaussian_kl(mean, log_variance),
            "adversarial": -self.scores(self.before | {"generator": p["generator"]}, fake).mean(),
            "semantic_fake": self.semantic(p, fake),
        }
        weighted = self.config("gammaG") * terms["adversarial"] + self.weight * terms["semantic_fake"]
        return terms["reconstruction"] + terms["kl"] + weighted, terms


# The first updates, and the first with feedback.
CRITIC = [("tfvaegan", 0), ("tfvaegan_prior", 0), ("fvaegan", 0), ("tfvaegan", 12), ("tfvaegan_prior", 12)]
GENERATOR = [(name, step + 2) for name, step in CRITIC]


@pytest.mark.parametrize(("name", "step"), CRITIC)
def test_the_terms_of_a_critic_update(name, step):
    update = VAEGAN(name, step)
    assert update.get("kind") == "critic" and bool(update.get("feedback")) == (step > 0)
    semantic, by_decoder = jax.value_and_grad(
        lambda decoder: update.weight * update.semantic({"decoder": decoder}, update.x)
    )(update.before["decoder"])
    close(semantic, update.term("semantic_real"))

    stepped = update.before | {"decoder": update.after["decoder"]}  # the decoder steps before the rows are made
    fake = update.made(stepped, update.latent(stepped)[0] if update.encoded else update.draws("prior"))
    loss = lambda critic: update.critic_loss({"critic": critic}, fake)  # noqa: E731
    (value, (penalty, real, synthesized)), by_critic = jax.value_and_grad(loss, has_aux=True)(stepped["critic"])
    gamma = update.config("gammaD")
    close(gamma * real, update.term("critic_real"))
    close(gamma * synthesized, update.term("critic_fake"))
    close(gamma * float(update.get("penalty_weight")) * penalty, update.term("gradient_penalty"))
    close(value, update.get("loss"))
    close_gradients({"decoder": by_decoder, "critic": by_critic}, recorded.gradients(update.arrays, recorded.VAEGAN, step))


@pytest.mark.parametrize(("name", "step"), GENERATOR)
def test_the_terms_of_a_generator_update(name, step):
    update = VAEGAN(name, step)
    assert update.get("kind") == "generator" and bool(update.get("feedback")) == (step > 2)
    (loss, terms), found = jax.value_and_grad(update.generator_loss, has_aux=True)(update.before)
    for term, value in terms.items():
        close(value, update.term(term))
    close(loss, update.get("loss"))
    theirs = recorded.gradients(update.arrays, recorded.VAEGAN, step)
    assert {"encoder", "generator"} <= theirs.keys() and ("feedback" in theirs) == (step > 2)
    close_gradients(found, theirs)


@pytest.mark.parametrize("name", ["tfvaegan", "tfvaegan_prior", "fvaegan"])
def test_the_penalty_weight_follows_the_recorded_means(name):
    arrays = recorded.recording(name)
    start, exponent = arrays["config/lambda1"].item(), jnp.int32(0)
    means = sorted(key for key in arrays if key.endswith("/mean_penalty"))
    assert len(means) == 16
    for key in means:
        exponent = adapted_exponent(exponent, jnp.float32(arrays[key]))
        weight = arrays[key.replace("mean_penalty", "penalty_weight")]
        np.testing.assert_allclose(penalty_weight(start, exponent), weight, rtol=1e-7)
    assert exponent != 0


class CADAVAE:
    """The recorded updates of CADA-VAE."""

    def __init__(self):
        self.arrays = recorded.recording("cadavae")
        p = self.before(0)
        width = {name: len(tree["params"]["hidden"]["bias"]) for name, tree in p.items()}
        latent = self.arrays["config/latent_size"].item()
        self.networks = {name: vae_networks.LatentEncoder(width[name], latent) for name in p if name.startswith("encoder")}
        for name in p.keys() - self.networks.keys():
            self.networks[name] = vae_networks.LatentDecoder(width[name], len(p[name]["params"]["output"]["bias"]))
        self.gradients = jax.jit(jax.value_and_grad(self.loss, has_aux=True))

    def get(self, step, part):
        return self.arrays[f"step{step:03d}/{part}"]

    def before(self, step):
        return recorded.parameters(self.arrays, recorded.CADA_VAE, step)

    def inputs(self, step):
        """Rows, noise and epoch of an update."""
        given = {"features": self.get(step, "batch/features"), "semantics": self.get(step, "batch/att")}
        noise = {kind: self.get(step, f"noise/{kind}") for kind in given}
        return jax.tree.map(jnp.asarray, (given, noise, np.int32(self.get(step, "epoch"))))

    def factor(self, name, epoch):
        option = {"kl": "beta"}.get(name, name)
        factor, start, end = (self.arrays[f"config/warmup/{option}/{part}"].item() for part in ("factor", "start_epoch", "end_epoch"))
        return variational.warm_up(epoch, factor, start, end)

    def loss(self, p, given, noise, epoch):
        latents = {kind: apply(self.networks[f"encoder_{kind}"], p[f"encoder_{kind}"], rows) for kind, rows in given.items()}
        samples = {kind: variational.sample_latent(*latent, noise[kind], "variance") for kind, latent in latents.items()}

        def error(kind, source):
            rows = apply(self.networks[f"decoder_{kind}"], p[f"decoder_{kind}"], samples[source])
            return reconstruction.summed_absolute(rows, given[kind])

        terms = {
            "reconstruction": error("features", "features") + error("semantics", "semantics"),
            "cross_reconstruction": error("features", "semantics") + error("semantics", "features"),
            "kl": sum(variational.summed_gaussian_kl(*latent) for latent in latents.values()),
            "distance": variational.distribution_alignment(*latents["features"], *latents["semantics"]),
        }
        factors = {name: self.factor(name, epoch) for name in terms if name != "reconstruction"}
        return terms["reconstruction"] + sum(factors[name] * terms[name] for name in factors), (terms, factors)


def test_all_updates_of_cada_vae():
    """At the recorded parameters, terms and gradients; and with AMSGrad from the initial ones, the parameters of all 42 updates."""
    cada, amsgrad = CADAVAE(), scale_by_amsgrad(0.9, 0.999)
    rate = cada.arrays["config/lr_gen_model"].item()
    params, steps = cada.before(0), sum(key.endswith("/factor/kl") for key in cada.arrays)
    state, update = amsgrad.init(params), jax.jit(amsgrad.update)
    assert steps == 42
    for step in range(steps):
        recorded_params = cada.before(step)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=0.01 * rate), params, recorded_params)

        (loss, (terms, factors)), found = cada.gradients(recorded_params, *cada.inputs(step))
        for term, value in terms.items():
            close(*((-value, cada.get(step, "term/negative_kl")) if term == "kl" else (value, cada.get(step, f"term/{term}"))))
        for name, factor in factors.items():
            np.testing.assert_array_equal(factor, cada.get(step, f"factor/{name}"))
        close(loss, cada.get(step, "loss"))
        theirs = recorded.gradients(cada.arrays, recorded.CADA_VAE, step)
        assert len(theirs) == (4 if step < 3 else 0)
        close_gradients(found, theirs)

        directions, state = update(cada.gradients(params, *cada.inputs(step))[1], state)
        params = jax.tree.map(lambda p, d: p - rate * d, params, directions)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=0.01 * rate), params, cada.before(steps))
