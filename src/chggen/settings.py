"""Options, the base class of all settings: frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from chggen.errors import InputError

_Kind = TypeVar("_Kind", bound="Options")


class Options(BaseModel):
    """Base class of all options.

    Options are frozen: their fields cannot be assigned after they were made. Unknown field names and infinite or NaN
    numbers are refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

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
            raise InputError(f"{name}: {first['msg']}, got {first.get('input')!r}") from None
