"""What the commands share: settings, consoles, tables or JSON, one clear line on failure."""

import getpass
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.table import Table

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

author_option = click.option("--author", help="Who asks for this; your user name when absent.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def fail(message: str, code: int = 1) -> NoReturn:
    """Print one clear message to standard error and exit."""
    err.print(message, style="red", markup=False, soft_wrap=True)
    sys.exit(code)


def user_name() -> str:
    """Return the name of who runs this command; ends with a clear message when the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        fail("who are you? give --author", 2)


def print_json(value: Any) -> None:
    """Print a value as JSON for other programs."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows as a table; numbers are aligned to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    out.print(table)


def _cell(value: object) -> str:
    text = f"{value:,.0f}" if isinstance(value, int | float) else str(value)
    return text.replace("[", "\\[")


def project_folder() -> Path:
    """Return the checkout this command runs from."""
    return Path(__file__).resolve().parents[2]
