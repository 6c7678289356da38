"""Pages with generated parts: what stands between <!-- begin NAME --> and <!-- end NAME -->."""

import re
from collections.abc import Mapping

from d3gzsl_jax.errors import UserError


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with what is between its marks replaced.

    Args:
        page: Markdown.
        made: what stands between the marks, by name.

    Raises:
        UserError: it has marks of something that is not made.
    """

    def put(found: re.Match[str]) -> str:
        if found["name"] not in made:
            raise UserError(f"<!-- begin {found['name']} -->: nothing of that name is made; there are {', '.join(made)}")
        return f"<!-- begin {found['name']} -->\n\n{made[found['name']]}\n\n<!-- end {found['name']} -->"

    return re.sub(r"<!-- begin (?P<name>\S+) -->.*?<!-- end (?P=name) -->", put, page, flags=re.DOTALL)
