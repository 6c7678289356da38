"""docs/configuration.md, made of the schema:

    python -m d3gzsl_jax.config.docs > docs/configuration.md
"""

import re

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.field_type import FIRST_VERSION, Field

_INTRODUCTION = """\
# Configuration

Every field, made of `d3gzsl_jax/config/schema.py` by `python -m d3gzsl_jax.config.docs`. A field is set on the command line by
`--config.FIELD=VALUE`, in a notebook by `load_config("cub", {"FIELD": VALUE})`, in a configuration file by `config.FIELD = VALUE`,
in a study by `--set FIELD=VALUE`. Another field, or a value that is not allowed here, is refused with one line. Defaults are the
released D3GZSL settings for CUB; where two are given, the second is that of the variant `base`, without D3. Fields marked
**resume** may change when a run is resumed; with another value of any other field it is another run.
"""


def page() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    for _, heading, fields in schema.groups():
        parts.append(f"\n## {heading}\n\n| field | default | values | meaning |\n| --- | --- | --- | --- |\n")
        parts += [_row(field) for field in fields]
    return "".join(parts)


def _row(field: Field) -> str:
    default = f"`{schema.shown(field.default)}`"
    if field.base is not None:
        default += f", `{schema.shown(field.base)}`"
    resume = " **resume**" if field.may_change else ""
    values = field.allowed() if not field.words else ", ".join(f"`{schema.shown(word)}`" for word in field.words)
    told = " ".join(filter(None, (field.meaning, schema.read_beside(field))))
    meaning = re.sub(r"([*_<|])", r"\\\1", told)
    since = f" (since {field.since})" if field.since != FIRST_VERSION else ""
    return f"| `{field.name}` | {default} | {values} | {meaning}{since}{resume} |\n"


if __name__ == "__main__":
    print(page(), end="")
