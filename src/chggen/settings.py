"""The base of all options: frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from chggen.errors import InputError

_Kind = TypeVar("_Kind", bound="Options")


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def of(cls: type[_Kind], **values: Any) -> _Kind:
        """Validated options. Raises InputError with one sentence for the first value at fault."""
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or "options"
            raise InputError(f"{name}: {first['msg']}, got {first.get('input')!r}") from None
