"""configs/: one file a benchmark, whose variants are the settings that each had in a file of its own."""

import importlib
import json

import pytest

from configs import default
from d3gzsl_jax.config import check, schema, variants
from d3gzsl_jax.config.load import flat, shipped
from tests.conftest import ROOT

RESOLVED = json.loads((ROOT / "tests" / "config" / "resolved.json").read_text())
"""Every configuration that there was before frameworks became variants ('was'), as resolved then: what differs from the default.
Since then the digits have data.pipeline=device, whose batches are the same."""
LATER = {name: value for name, value in schema.defaults().items() if name not in RESOLVED["default"]}
"""Fields that came later: none of those configurations has another value than the default, by which nothing changes."""
FILES = {name: importlib.import_module(f"configs.{name}") for name in shipped()}


def config_of(spec):
    name, _, variant = spec.partition(":")
    return FILES[name].get_config(*([variant] if variant else []))


def plain(config):
    return json.loads(json.dumps(dict(flat(config))))


@pytest.mark.parametrize("spec", RESOLVED["files"])
def test_every_configuration_resolves_as_it_did(spec):
    found, expected = plain(config_of(spec)), LATER | RESOLVED["default"] | RESOLVED["files"][spec]["differs"]
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in expected.items()}


def test_none_of_them_is_forgotten():
    names = ["cub", "awa1", "awa2", "sun", "flo", "apy"]
    was = {f"{prefix}{name}" for prefix in ("", "fclswgan_", "cegzsl_") for name in names} - {"cegzsl_apy"}
    was |= {f"{prefix}{name}" for prefix in ("", "cegzsl_") for name in ("cub_small", "cub_validated", "digits")}
    was |= {"cegzsl_cub_att", "default", "many_classes"}
    assert {of["was"] for of in RESOLVED["files"].values()} == {f"{name}:{variant}" for name in was for variant in schema.VARIANTS}


@pytest.mark.parametrize("name", sorted({*FILES} - {"default"}))
def test_every_file_passes_and_documents_itself(name):
    module = FILES[name]
    assert f"--config=configs/{name}.py" in module.__doc__ and "Expected" in module.__doc__
    for framework in module.FRAMEWORKS:
        d3, base = module.get_config(f"{framework},d3"), module.get_config(f"base,{framework}")
        for config in (d3, base):
            check.check(config)
            assert config.framework == framework
        assert check.has_student(d3) and d3.eval.prediction in ("student", "auto")
        assert d3.classifier.fit == ("never" if name == "many_classes" else "last")
        assert not check.has_student(base) and base.eval.prediction == "classifier" and base.classifier.fit == "every"
        # The two differ in D3's weights, in what predicts and how often, and in nothing else.
        for config in (d3, base):
            config.eval.prediction, config.classifier.fit, config.eval.every_epochs = "student", "last", 1
            config.distillation.update(weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0)
        assert d3.to_dict() == base.to_dict()


@pytest.mark.parametrize("name", ["cub", "awa1", "awa2", "sun", "flo", "apy"])
def test_published_figures_have_a_source_and_agree(name):
    module = FILES[name]
    assert module.PUBLISHED
    for variant, figures in module.PUBLISHED.items():
        module.get_config(variant)
        u, s = figures.unseen, figures.seen
        assert abs(2 * u * s / (u + s) - figures.harmonic) < 0.15 and figures.source  # each is rounded, or a mean of its own
    from_d3 = {variant: figures for variant, figures in module.PUBLISHED.items() if "base" not in variant.split(",")}
    assert all("inferred" in figures.source for figures in from_d3.values())  # the paper has none by framework


TABLE = {"wgan": {}, "cegzsl": {"train.epochs": 3, "data.semantics": "sent"}}
OPTIONS = {"att": {"data.semantics": "att"}, "sent": {"data.semantics": "sent"}, "other": {"data.semantics": "att", "train.epochs": 5}}


def test_words_in_any_order():
    found = {variants.parse(text, TABLE, OPTIONS) == variants.parse("base,cegzsl", TABLE, OPTIONS) for text in ("cegzsl,base", " base , cegzsl ")}
    assert found == {True}
    chosen = variants.parse("att,cegzsl", TABLE, OPTIONS)
    assert (chosen.framework, chosen.d3, chosen.fields) == ("cegzsl", "d3", {"train.epochs": 3, "data.semantics": "att"})
    config = chosen.applied(default.get_config())
    assert (config.framework, config.train.epochs, config.data.semantics) == ("cegzsl", 3, "att")
    assert variants.parse("", TABLE).framework == "wgan" and variants.parse("d3", TABLE).has_d3 and not variants.parse("base", TABLE).has_d3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bse", "unknown variant 'bse' after the colon, expected one of d3, base, wgan, cegzsl, att, sent, other; did you mean 'base'"),
        ("cegzsl,", "unknown variant '' after the colon"),
        ("wgan,cegzsl", "variant 'wgan,cegzsl' after the colon has wgan and cegzsl; give one of wgan, cegzsl"),
        ("base,d3", "has base and d3; give one of d3, base"),
        ("cegzsl,att,sent", "variant 'cegzsl,att,sent' after the colon has att and sent, which set config.data.semantics; give one"),
        ("sent,other,att", "has sent and other, which set config.data.semantics; give one"),
    ],
)
def test_other_words_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        variants.parse(text, TABLE, OPTIONS)


# CE-GZSL's published settings: dz, batch, width of F, weights, learning rate, decay, synthesized rows per class, epochs, semantics.
CEGZSL = {
    "awa1:cegzsl": (0, 4096, 2048, 0.001, 1e-4, 50, 1800, 130, "att"),
    "awa2:cegzsl": (0, 4096, 2048, 0.001, 1e-4, 10, 2400, 130, "att"),
    "cub:cegzsl": (0, 2048, 2048, 0.001, 1e-4, 100, 100, 450, "sent"),
    "cub:cegzsl,att": (0, 2048, 2048, 0.001, 1e-4, 100, 100, 450, "att"),
    "flo:cegzsl": (512, 4096, 1024, 0.01, 1e-4, 100, 600, 750, "att"),
    "sun:cegzsl": (0, 1024, 1024, 0.01, 5e-5, 100, 100, 1000, "att"),
}


@pytest.mark.parametrize("spec", CEGZSL)
def test_cegzsl_settings_are_the_published_ones(spec):
    config = config_of(spec)
    own, train = config.cegzsl, config.train
    assert own.weight_instance == own.weight_class
    found = (config.networks.noise, train.batch_size, own.comparator_hidden, own.weight_class, train.learning_rate,
             train.decay_every, config.classifier.n_syn, train.epochs, config.data.semantics)  # fmt: skip
    assert found == CEGZSL[spec]
    assert (own.projection, own.temperature_instance, own.temperature_class, own.comparator_gradient) == (512, 0.1, 0.1, "released")
    assert {train.generator_factor, train.critic_factor, train.student_factor, train.confidence_factor} == {0.99}
    assert config.classifier.batch_size == config.classifier.n_syn and config.distillation.n_syn == 50
    assert (config.classifier.epochs, config.classifier.learning_rate, config.classifier.beta1) == (25, 1e-3, 0.5)


# f-CLSWGAN's: learning rate, weight of its classification loss, synthesized rows per class, epochs.
FCLSWGAN = {
    "cub": (1e-4, 0.01, 300, 56), "awa1": (1e-5, 0.01, 1800, 30), "awa2": (1e-5, 0.01, 1800, 30), "flo": (1e-4, 0.1, 1200, 80),
    "sun": (2e-4, 0.01, 400, 40), "apy": (1e-5, 0.01, 1800, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", FCLSWGAN)
def test_fclswgan_settings_are_those_its_code_is_run_with(name):
    config = config_of(f"{name}:fclswgan")
    train = config.train
    found = (train.learning_rate, config.fclswgan.classification_weight, config.classifier.n_syn, train.epochs)
    assert found == FCLSWGAN[name] and config.classifier.batch_size == config.classifier.n_syn
    assert train.batch_size == 64 and {train.generator_factor, train.critic_factor, train.student_factor} == {1.0}
