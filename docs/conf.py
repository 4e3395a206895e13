"""Sphinx configuration: Markdown pages by MyST, the API from docstrings, the commands from their own help."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import chggen

CODE = re.compile(r"(?<![`:])`([^`]+)`(?!`)")

project = "chggen"
author = "the chggen authors"
copyright = "2026, the chggen authors"
release = version = chggen.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_pages",
]
exclude_patterns = ["_build", "_ext", "benchmarks/tables", "studies/tables"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 4

autodoc_member_order = "alphabetical"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
python_display_short_literal_types = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False  # the signature has the types
toc_object_entries_show_parents = "hide"
# Names such as Candidate are public in chggen and in its own package: either target of a reference is the right one.
suppress_warnings = ["ref.python"]

html_theme = "furo"
html_title = "chggen"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def plain_text(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Read docstrings as they are written: `x` is code, and |x| an absolute value, not a substitution."""
    for k, line in enumerate(lines):
        parts = CODE.split(line)  # text, code, text, …
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        parts[1::2] = [f"``{part.strip()}``" for part in parts[1::2]]
        lines[k] = "".join(parts)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", plain_text, priority=900)
