"""The base methods by name. A new one is a file of its own in this folder and a line here (docs/frameworks.md)."""

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.cadavae import CADAVAE
from d3gzsl_jax.frameworks.cegzsl import CEGZSL
from d3gzsl_jax.frameworks.fclswgan import FCLSWGAN
from d3gzsl_jax.frameworks.free import FREE
from d3gzsl_jax.frameworks.fvaegan import FVAEGAN
from d3gzsl_jax.frameworks.tfvaegan import TFVAEGAN
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.frameworks.zerodiff import ZeroDiff
from d3gzsl_jax.frameworks.zerodiff_representation import ZeroDiffRepresentation

FRAMEWORKS: dict[str, type[Framework]] = {
    "wgan": WGAN,
    "fclswgan": FCLSWGAN,
    "cegzsl": CEGZSL,
    "fvaegan": FVAEGAN,
    "tfvaegan": TFVAEGAN,
    "cadavae": CADAVAE,
    "zerodiff_representation": ZeroDiffRepresentation,
    "zerodiff": ZeroDiff,
    "free": FREE,
}
