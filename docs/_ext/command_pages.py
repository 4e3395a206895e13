"""The directive `chggen-commands`: every command with its arguments and options, read from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class CommandPages(SphinxDirective):
    """One section for each command; a group of commands has one for each of its own."""

    def run(self) -> list[nodes.Node]:
        from chggen.cli.app import app

        lines: list[str] = []
        for name, command in _commands(typer.main.get_command(app), "chggen"):
            lines += _section(name, command)
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for own, inner in command.commands.items():
            yield from _commands(inner, f"{name} {own}")
    else:
        yield name, command


def _section(name: str, command: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([name, *(_usage(p) for p in arguments), "[OPTIONS]"])
    lines = [f"## {name}", "", command.help or "", "", "```text", usage, "```", ""]
    told = [p for p in arguments if getattr(p, "help", None)]
    lines += [line for p in told for line in (f"`{_usage(p).strip('[].')}`", f": {_text(p.help)}", "")]
    if options:
        lines += ["| option | what it does | default |", "|---|---|---|"]
        lines += [f"| {_names(p)} | {_text(p.help or '')} | {_default(p)} |" for p in options]
    return [*lines, ""]


def _usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    name += "..." if argument.nargs == -1 and not name.endswith("...") else ""
    return name if argument.required else f"[{name}]"


def _names(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} *{_kind(option)}*"


def _kind(option: Any) -> str:
    annotation = str(getattr(getattr(option, "type_descriptor", None), "annotation", ""))
    kinds = {"int": "number", "float": "number", "Path": "path", "str": "text"}
    return next((kind for name, kind in kinds.items() if name in annotation), "value")


def _default(option: Any) -> str:
    default = option.default
    if default is None or callable(default) or default in ("", (), False) or "unset" in str(default).lower():
        return "required" if option.required else ""
    return f"`{default}`"


def _text(text: str) -> str:
    """Help text as a cell of a Markdown table."""
    return text.replace("|", r"\|").replace("<", "&lt;").replace("\n", " ")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("chggen-commands", CommandPages)
    return {"parallel_read_safe": True, "version": "1"}
