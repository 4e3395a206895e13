"""Commands that read their options when they are asked for: option models take long to import, which help need not."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from chggen.settings import Options

_Command = Callable[..., None]


def with_options(options: Callable[[], type[Options]], *leave_out: str) -> Callable[[_Command], _Command]:
    """Give a command the options of a model, beside the parameters that it has itself, and --json and --csv.

    The command has to take them as `**values`. Options that are not given come with their defaults, lists as tuples,
    counts such as `Li=4` as dictionaries.

    Args:
        options: Returns the option model.
        *leave_out: Fields of which no option is made.

    Returns:
        A decorator. What it returns has the name and the help of the command; `LateCommand` makes the rest.
    """

    def decorated(command: _Command) -> _Command:
        def whole() -> _Command:
            from chggen.cli.option_models import merged
            from chggen.cli.output import printing

            return printing(merged(command, options(), leave_out))

        def named() -> None: ...

        named.__name__, named.__doc__ = command.__name__, command.__doc__
        named.whole = whole  # type: ignore[attr-defined]
        return named

    return decorated


class LateCommand(TyperCommand):
    """What `with_options` made, as a command whose options are made when it runs or when its own help is shown."""

    @cached_property
    def _whole(self) -> Any:
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(self.name)(self.callback.whole())  # type: ignore[union-attr]
        return typer.main.get_command(alone)

    @property
    def params(self) -> list[Any]:
        """Arguments and options."""
        return list(self._whole.params)

    @params.setter
    def params(self, given: list[Any]) -> None:
        """Take none: there are none in what `with_options` returns."""

    def make_context(self, *arguments: Any, **values: Any) -> Any:
        """Read the command line, see `click.Command.make_context`."""
        return self._whole.make_context(*arguments, **values)
