"""Options, the base class of all settings: frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from chggen.errors import InputError

_Kind = TypeVar("_Kind", bound="Options")


class Options(BaseModel):
    """Base class of all options.

    Options are frozen: their fields cannot be assigned after they were made. Unknown field names and infinite or NaN
    numbers are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    unused: ClassVar[frozenset[str]] = frozenset()
    """Fields of nested options that mean nothing here: no keyword and no command-line option is made of them."""

    @classmethod
    def of(cls: type[_Kind], **values: Any) -> _Kind:
        """Validate values and make options of them.

        Use this instead of the constructor for values that a user gave: it raises the error that users are shown.

        Args:
            **values: Field names and their values. Fields that are left out take their defaults.

        Returns:
            The validated options.

        Raises:
            InputError: A value does not fit its field, a field is unknown, or a required one is missing. The message
                is one sentence about the first of these.
        """
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "options"
            told = first["msg"].removeprefix("Value error, ")
            got = first.get("input")
            got = got[0] if isinstance(got, tuple) and len(got) == 1 else got  # one of those that may be several
            raise InputError(f"{name}: {told}, got {got!r}") from None

    @classmethod
    def keywords(cls) -> dict[str, FieldInfo]:
        """List the fields as the flat keywords that functions and commands take, nested options taken apart.

        Returns:
            Keyword to field, in the order of the fields. Those of nested options stand where these stand.
        """
        found: dict[str, FieldInfo] = {}
        for name, field in cls.model_fields.items():
            nested = nested_options(field.annotation)
            found |= {name: field} if nested is None else nested.keywords()
            for key, default in _other_defaults(field).items():
                found[key] = copy(found[key])
                found[key].default = default
        return {name: field for name, field in found.items() if name not in cls.unused}

    @classmethod
    def of_keywords(cls: type[_Kind], values: Mapping[str, Any], without: tuple[str, ...] = ()) -> _Kind:
        """Validate flat keywords and make options of them.

        Args:
            values: Keyword to value, as `keywords` lists them.
            without: Fields of nested options to leave at None; the keywords of these must have their defaults.

        Returns:
            The validated options.

        Raises:
            InputError: As `of`, and for a keyword that has no effect.
        """
        return cls.of(**cls._nested(values, without))

    @classmethod
    def _nested(cls, values: Mapping[str, Any], without: tuple[str, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, field in cls.model_fields.items():
            nested = nested_options(field.annotation)
            if nested is None:
                if name in values:
                    made[name] = values[name]
                continue
            own = _other_defaults(field) | {key: values[key] for key in nested.model_fields if key in values}
            made[name] = nested.of(**own)
            if name in without:
                _check_defaults(made[name], name)
                made[name] = None
        return made


def nested_options(annotation: Any) -> type[Options] | None:
    """Return the class of options that a field holds; None for a field that holds a plain value.

    Args:
        annotation: Type of the field, such as `RelaxOptions | None`.
    """
    kinds = [annotation, *get_args(annotation)]
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Options)), None)


def _other_defaults(field: FieldInfo) -> dict[str, Any]:
    """Return the fields of nested options that the default of the field that holds them has otherwise."""
    if not isinstance(field.default, Options):
        return {}
    there = {key: getattr(field.default, key) for key in type(field.default).model_fields}
    return {key: value for key, value in there.items() if value != type(field.default).model_fields[key].default}


def _check_defaults(options: Options, name: str) -> None:
    """Raise InputError where options that will not be used are not the defaults."""
    for key, field in type(options).model_fields.items():
        if (value := getattr(options, key)) != field.default:
            raise InputError(f"{key} has no effect without {name}, got {value!r}; leave it out or leave {name} on")
