"""The one command: `frontwire`."""

import importlib
import signal
import sys
from typing import Final

import click

from services.commands.common import fail
from shared import logs
from shared.errors import EngineError, Transient
from shared.settings import SettingsError
from shared.yaml_config import ConfigError

# Command to the module that holds it; imported only when used, so that none pays for the libraries of another.
COMMANDS: Final[dict[str, str]] = {
    "alerts": "alerts",
    "annotate": "pipes",
    "check": "configuration",
    "cluster": "pipes",
    "demo": "demo",
    "dlq": "dead_letters",
    "engines": "engines",
    "feeds": "feeds",
    "fetch": "fetching",
    "follow": "following",
    "index": "index",
    "ingest": "ingestion",
    "kibana": "kibana",
    "normalise": "pipes",
    "plan": "plan",
    "run": "services",
    "schemas": "contracts",
    "search": "search",
    "spikes": "spikes",
    "takedown": "takedown",
    "topics": "contracts",
    "up": "local",
}


class Commands(click.Group):
    """A group that imports a command's module only when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by name, or None."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"services.commands.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Frontwire: a streaming news wire whose every number can be explained.

    \b
    Try it:          frontwire demo
    Use it here:     frontwire up              (edit deploy/config/feeds.yaml and watchlist.yaml)
    Feed it:         frontwire feeds add URL, frontwire feeds list
    Understand it:   frontwire follow FILE     (one article through every stage)
    Mend it:         frontwire check, frontwire dlq list
    """


def _engine_errors() -> tuple[type[Exception], ...]:
    """Return what a lost engine raises; imported when something was raised, since the clients take half a second."""
    from elastic_transport import TransportError
    from kafka.errors import KafkaError

    return (KafkaError, TransportError, Transient)


def main() -> None:
    """Run the command line; a refusal is one clear message and a non-zero exit code, never a traceback.

    SIGTERM ends a command as Ctrl-C does: what it started is stopped.
    """
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, signal.default_int_handler)
    logs.configure("error", "auto")
    try:
        cli.main(prog_name="frontwire", standalone_mode=False)
    except click.ClickException as refusal:
        refusal.show()
        sys.exit(refusal.exit_code)
    except (ConfigError, SettingsError) as refusal:
        fail(str(refusal), 2)
    except EngineError as error:
        fail(str(error))
    except _engine_errors() as error:
        fail(f"an engine cannot be reached ({error}); is it running? `frontwire engines status`, docs/operations.md")
    except BrokenPipeError:
        sys.exit(1)
    except (click.Abort, KeyboardInterrupt):
        fail("stopped", 130)


if __name__ == "__main__":
    main()
