"""Recorded final classifiers come out of ours: the rows they are fitted to, in their order, their updates and their accuracies."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.cadavae import CADAVAE
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.frameworks.tfvaegan import TFVAEGAN
from tests.losses.recorded import CADA_VAE, VAEGAN, network, parameters, recording

VAEGANS = [(name, at) for name in ("tfvaegan", "tfvaegan_prior") for at in (0, 1)]
GROUPS = {
    "feature_encoder": "encoder_features", "semantic_encoder": "encoder_semantics",
    "feature_decoder": "decoder_features", "semantic_decoder": "decoder_semantics",
}  # fmt: skip


def with_draws(framework, classes, noise, real_noise=None):
    """The method with the recorded draws in place of its own: noise (|U|, n, ...) by unseen class, real_noise of all real rows."""
    noise, unseen = jnp.asarray(noise), classes.semantics[classes.unseen]

    class Recorded(type(framework)):
        def represent_synthesized(self, params, semantics, draws):
            assert draws["noise"].shape == noise.shape[1:]
            of_class = jnp.argmin(jnp.abs(unseen - semantics).sum(axis=1))
            return super().represent_synthesized(params, semantics, {"noise": noise[of_class]})

        def represent_real(self, params, features, draws):
            if real_noise is not None:
                assert draws["noise"].shape == real_noise.shape
                draws = {"noise": jnp.asarray(real_noise)}
            return super().represent_real(params, features, draws)

    return Recorded(**{field.name: getattr(framework, field.name) for field in dataclasses.fields(framework)})


def classes_of(arrays):
    ids = {kind: jnp.asarray(arrays[f"data/{kind}_classes"], jnp.int32) for kind in ("seen", "unseen")}
    return Classes(semantics=jnp.asarray(arrays["data/attribute"]), **ids)


def sizes_of(arrays):
    features, semantics = arrays["data/train_feature"].shape[1], arrays["data/attribute"].shape[1]
    return Sizes(features=features, semantics=semantics, noise=semantics, seen=len(arrays["data/seen_classes"]))


def vaegan(name, epoch):
    """Final classifier and parameters after an epoch, with the recorded draws of its synthesis."""
    arrays = recording(name)
    option = {key: arrays[f"config/{key}"].item() for key in ("ngh", "ndh", "a1", "a2", "nz", "syn_num")}
    sizes = dataclasses.replace(
        sizes_of(arrays), noise=option["nz"], generator_hidden=option["ngh"], critic_hidden=option["ndh"]
    )
    framework = TFVAEGAN(sizes, feedback_training=option["a1"], feedback_synthesis=option["a2"])
    at, classes = f"synthesis{epoch}", classes_of(arrays)
    names = [net for net in VAEGAN if f"{at}/params/{net}/fc1.weight" in arrays]
    params = {net: network(arrays, f"{at}/params/{net}", VAEGAN[net], sizes.features) for net in names}
    softmax = softmax_of(arrays, f"classifier{epoch}_gzsl", len(classes.semantics))
    return FinalClassifier(with_draws(framework, classes, arrays[f"{at}/noise"]), softmax, option["syn_num"], zsl="own"), params


def cadavae():
    """The final classifier and the parameters after the last update, with the recorded draws of its rows."""
    arrays = recording("cadavae")
    steps = len({key.split("/")[0] for key in arrays if key.startswith("step")})
    found, classes = parameters(arrays, CADA_VAE, steps), classes_of(arrays)
    widths = {f"{ours}_hidden": arrays[f"init/{theirs}/fc1.weight"].shape[0] for ours, theirs in GROUPS.items()}
    seen, _, unseen, _ = arrays["classifier/samples_per_class"].tolist()
    latent = arrays["config/latent_size"].item()
    framework = CADAVAE(sizes_of(arrays), latent=latent, seen_rows=seen, **widths)
    noise = arrays["classifier/noise/unseen_semantics"].reshape(len(classes.unseen), unseen, 1)
    framework = with_draws(framework, classes, noise, arrays["classifier/noise/seen_features"])
    softmax = framework.softmax(softmax_of(arrays, "classifier", len(classes.semantics)))
    return FinalClassifier(framework, softmax, unseen), {ours: found[theirs] for ours, theirs in GROUPS.items()}


def softmax_of(arrays, at, classes):
    epochs = len(arrays[f"{at}/accuracies"])
    return SoftmaxTraining(classes, epochs, arrays[f"{at}/batch_size"].item(), learning_rate=arrays[f"{at}/lr"].item())


def assert_rows(final, params, name, at):
    """Order, labels and represented rows of training, and represented test rows."""
    arrays = recording(name)
    features, labels = jnp.asarray(arrays["data/train_feature"]), jnp.asarray(arrays["data/train_label"], jnp.int32)
    inputs, labels = jax.jit(final.rows)(params, jax.random.key(0), classes_of(arrays), features, labels)
    np.testing.assert_array_equal(labels, arrays[f"{at}/train_label"])
    np.testing.assert_allclose(inputs, arrays[f"{at}/train_feature"], atol=1e-5)
    for split in ("seen", "unseen"):
        found = final.framework.represent(params, jnp.asarray(arrays[f"data/test_{split}_feature"]))
        np.testing.assert_allclose(found, arrays[f"{at}/test_{split}_feature"], atol=1e-5)


@pytest.mark.parametrize(("name", "epoch"), VAEGANS)
def test_rows_of_tfvaegan(name, epoch):
    final, params = vaegan(name, epoch)
    assert_rows(final, params, name, f"classifier{epoch}_gzsl")


def test_rows_of_cadavae():
    assert_rows(*cadavae(), "cadavae", "classifier")


def accuracy(training, params, arrays, at, split, ids=None):
    logits = training.logits(params, jnp.asarray(arrays[f"{at}/test_{split}_feature"]))
    predicted, labels = np.asarray(logits).argmax(-1), arrays[f"data/test_{split}_label"]
    predicted = predicted if ids is None else ids[predicted]
    return np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)])


@pytest.mark.parametrize(
    ("name", "at"),
    [(name, f"classifier{epoch}_{kind}") for name, epoch in VAEGANS for kind in ("gzsl", "zsl")] + [("cadavae", "classifier")],
)
def test_updates_and_accuracies(name, at):
    arrays, own = recording(name), at.endswith("_zsl")
    unseen = arrays["data/unseen_classes"]
    training = softmax_of(arrays, at, len(unseen) if own else len(arrays["data/attribute"]))
    if name == "cadavae":
        training = dataclasses.replace(training, drops_last=True)
    batches = arrays[f"{at}/batch_index"].astype(np.int32)
    inputs, labels = jnp.asarray(arrays[f"{at}/train_feature"]), jnp.asarray(arrays[f"{at}/train_label"], jnp.int32)
    ours = np.asarray(training.rows(jax.random.key(0), len(inputs)))
    assert ours.shape == batches.shape
    per_epoch = len(batches) // training.epochs
    for rows in (ours, batches):  # both go through the rows in the same way
        flat = rows.reshape(training.epochs, -1) if training.drops_last else rows.ravel()[: len(inputs)][None]
        assert all(len(set(one)) == len(one) for one in flat.tolist())
    layer = lambda which: network(arrays, f"{at}/{which}", {"fc": "linear"}, 0)  # noqa: E731
    params = layer("init")
    opt_state = training.adam.init(params)
    update = jax.jit(lambda p, s, x, y: training.update(p, s, x, y)[:2])
    for number, rows in enumerate(batches, 1):
        params, opt_state = update(params, opt_state, inputs[rows], labels[rows])
        if number % per_epoch == 0:
            found = [accuracy(training, params, arrays, at, "unseen", unseen if own else None)]
            if not own:
                found.insert(0, accuracy(training, params, arrays, at, "seen"))
            np.testing.assert_allclose(found, arrays[f"{at}/accuracies"][number // per_epoch - 1], rtol=1e-6)
    assert number == len(batches) == per_epoch * training.epochs
    for ours, theirs in zip(jax.tree.leaves(params), jax.tree.leaves(layer("after")), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.01 * training.learning_rate)


def test_weights_begin_as_recorded():
    """Those of CADA-VAE within U(-b, b) and up to its ends, the others' normal; all biases 0."""
    for name, at in (("cadavae", "classifier"), ("tfvaegan", "classifier0_gzsl")):
        arrays = recording(name)
        weight = arrays[f"{at}/init/fc.weight"]
        training = softmax_of(arrays, at, len(weight))
        if name == "cadavae":
            training = CADAVAE(sizes_of(arrays)).softmax(training)
            assert training.initial == "xavier" and training.drops_last
        ours = training.init(jax.random.key(0), weight.shape[1])["params"]["linear"]
        bound = 0.5 * np.sqrt(6.0 / sum(weight.shape))
        for kernel, bias in ((weight.T, arrays[f"{at}/init/fc.bias"]), (np.asarray(ours["kernel"]), np.asarray(ours["bias"]))):
            assert kernel.shape == weight.T.shape and not bias.any()
            if name == "cadavae":
                assert 0.9 * bound < np.abs(kernel).max() <= bound
            else:
                assert kernel.std() == pytest.approx(0.02, rel=0.1)
