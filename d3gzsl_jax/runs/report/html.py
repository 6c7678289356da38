"""Pages from the templates of the package by jinja2: every value is escaped, and a name that is not given is an error."""

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.text import clean_name

if TYPE_CHECKING:
    from jinja2 import Environment

_PACKAGE = Path(__file__).resolve().parents[2]


def render(template: str, **fields: Any) -> str:
    """A page.

    Args:
        template: its path inside the package.
        fields: what it shows.
    """
    return _environment().get_template(template).render(**fields)


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(_PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    found.filters["clean"] = clean_name
    return found
