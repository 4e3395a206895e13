"""The command report: the page of a folder, or of a system in a database that many runs share."""

from __future__ import annotations

from pathlib import Path

from chggen.cli.output import for_people, say
from chggen.cli.run_commands import print_candidates
from chggen.errors import InputError
from chggen.io import writable_folder


def report_of(
    folder: Path | None,
    diagram: Path | None,
    level: str | None,
    figures: Path | None,
    database: str | None,
    system: str | None,
    out: Path | None,
) -> None:
    """Write the page of a results folder anew, or collect a system from a database and write the page of that.

    Args:
        folder: The results folder; None with a database.
        diagram: File for a phase diagram or a voltage curve.
        level: Level of theory of the diagram.
        figures: Folder for figures for print.
        database: Address of a database that many runs share.
        system: Elements whose candidates are taken from it.
        out: Folder for the page, instead of the results folder; with a database, the results folder.

    Raises:
        InputError: What is asked for does not go together, or cannot be read or written.
    """
    from chggen import api
    from chggen.report import draw_candidates, save_figures, write_report
    from chggen.workflows import collect

    if level is not None and diagram is None:
        raise InputError("--level is that of a phase diagram, which is not asked for; add --diagram or leave it out")
    if (database is None) != (system is None):
        raise InputError("--database and --system go together; give both, or a results folder instead")
    if (folder is None) == (database is None):
        raise InputError("expected a results folder, or --database with --system; give one of them")
    if database is not None and system is not None:
        folder, out = out or Path("runs") / f"{system}-shared", None
        collect(database, system, folder)
    assert folder is not None
    if out is not None:
        writable_folder(out)
    if diagram is not None:  # first, since it may be refused
        draw_candidates(folder, level, diagram)
        say(f"diagram in {diagram}")
    if figures is not None:
        say(f"{len(save_figures(folder, figures))} files of figures in {figures}")
    page = write_report(folder, out)
    say(f"report in {page}")
    if not for_people():
        print_candidates(api.open(folder), folder)
