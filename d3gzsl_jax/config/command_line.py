"""A configuration as the command line gives it: --config=FILE.py[:variant] and --config.group.field=value."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config.load import flat, load_config, parse_overrides
from d3gzsl_jax.config.schema import not_held
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import require_same
from d3gzsl_jax.text import cut, one_line

_LONGEST = 400  # characters of the name of a field


class _Given(NamedTuple):
    """An option that sets a field: the dotted name, whether 'no' is before it, and the value, None without one."""

    name: str
    negated: bool
    value: str | None

    @property
    def option(self) -> str:
        """As the parser of overrides takes it, in one piece: the value of the next argument is no option of that parser."""
        return f"--{'no' if self.negated else ''}config.{self.name}" + ("" if self.value is None else f"={self.value}")


def taken(arguments: Sequence[str]) -> tuple[ConfigDict | None, dict[str, Any], list[str]]:
    """The configuration, None without one; what was overridden, by dotted field; and the arguments that are about neither.

    Raises:
        UserError: there is no such file or field, a value is of another type, or there are two files.
    """
    spec, arguments = _spec(arguments)
    if spec is None:
        return None, {}, arguments
    config = load_config(spec)
    own, rest = _overrides(arguments, dict(flat(config)))
    return config, _override(config, own), rest


def _spec(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """What --config says, None without it, and the other arguments."""
    rest, spec, waiting = [], None, iter(arguments)
    for argument in waiting:
        match = re.fullmatch(r"--?config(?:=(.*))?", argument, re.DOTALL)
        if not match:
            rest.append(argument)
            continue
        found = match[1] if match[1] is not None else next(waiting, None)
        if found is None:
            raise UserError("--config: give a file, for example --config=configs/digits.py")
        require_same("--config", found if spec is None else spec, "--config", found)
        spec = found
    return spec, rest


def _overrides(arguments: Sequence[str], fields: dict[str, Any]) -> tuple[list[_Given], list[str]]:
    """The arguments that are overrides, with their values, and the others. Of a field that is given again the last value counts, so
    that a command in a script can be given another (a field that holds several values has them all)."""
    own, rest, waiting = [], [], iter(arguments)
    for argument in waiting:
        match = re.fullmatch(r"--?(no)?config\.([^=]+)(?:=(.*))?", argument, re.DOTALL)
        if not match:
            rest.append(argument)
            continue
        name = match[2]
        if len(name) > _LONGEST:  # the parser of overrides looks too deep for what is like it
            raise UserError(f"{cut(argument.partition('=')[0])}: no such option")
        if not any(field == name or field.startswith(f"{name}.") for field in fields):
            guess = meant(name, "", fields)
            told = f"did you mean {guess}?" if guess else "d3gzsl train --help documents every field"
            raise UserError(f"--config.{cut(name)}: no such field; {told}")
        value, takes_next = match[3], not (match[1] or isinstance(fields.get(name), bool))
        own.append(_Given(name, bool(match[1]), next(waiting, None) if value is None and takes_next else value))
    return own, rest


def _override(config: ConfigDict, own: Sequence[_Given]) -> dict[str, Any]:
    """Sets fields of `config`, as ml_collections reads them; returns them by dotted name."""
    if not own:
        return {}
    before = config.copy_and_resolve_references()
    try:
        return parse_overrides(config, [given.option for given in own])
    except Exception as error:  # the parser of overrides has errors of many kinds, in words of its own
        for given in own:
            try:
                parse_overrides(before, [given.option])
            except Exception:
                raise UserError(_refused(given, dict(flat(before)))) from None
        why = cut(one_line(error))
        raise UserError(f"--config.{own[-1].name}: does not go with the others ({why}); give each field once") from None


def _refused(given: _Given, fields: dict[str, Any]) -> str:
    """What is wrong with an option that the parser of overrides does not take."""
    name, is_switch = given.name, isinstance(fields.get(given.name), bool)
    if name not in fields:
        first = next(field for field in fields if field.startswith(f"{name}."))
        return f"config.{name}: is a group of fields; set each by itself, as in --config.{first}=VALUE"
    if given.negated:
        return f"--noconfig.{name}: " + (f"takes no value; leave ={cut(given.value or '')} out" if is_switch else (
            f"only a field that is True or False can be negated; give --config.{name}=VALUE"
        ))
    if given.value is None:
        return f"--config.{name}: the value is missing; give --config.{name}=VALUE"
    return not_held(name, given.value, fields[name])


def meant(name: str, value: str, fields: Iterable[str], option: str = "--config.{}={}") -> str:
    """How the field is written that a name is the last part of, or nearly is; '' where there is none.

    Args:
        name: as it was given.
        value: likewise, '' for none.
        fields: dotted names; where several end alike the one that is called so first, then those of the group train.
        option: how a field and its value are written.
    """
    name = name.lower().replace("-", "_")[:100]
    names = sorted(fields, key=lambda field: (field != name, not field.startswith("train.")))
    found = [field for field in names if f".{field}".endswith(f".{name}")]
    found = found or difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not found:
        lasts = {field.rpartition(".")[2]: field for field in reversed(names)}
        found = [lasts[last] for last in difflib.get_close_matches(name, lasts, n=1, cutoff=0.75)]
    return option.format(found[0], cut(value)).removesuffix("=") if found else ""
