"""The one command: `frontwire`."""

import signal
import sys

import click
from elastic_transport import TransportError
from kafka.errors import KafkaError

from services.commands.common import fail
from services.commands.configuration import check
from services.commands.contracts import schemas, topics
from services.commands.dead_letters import dlq
from services.commands.demo import demo
from services.commands.engines import engines
from services.commands.following import follow
from services.commands.ingestion import ingest
from services.commands.pipes import annotate, cluster, normalise
from services.commands.services import run, up
from shared.errors import Transient
from shared.local_engines import EngineError
from shared.settings import SettingsError
from shared.yaml_config import ConfigError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cli() -> None:
    """Frontwire: a streaming news wire whose every number can be explained.

    \b
    Try it:          frontwire demo
    Use it here:     frontwire up              (edit deploy/config/feeds.yaml and watchlist.yaml)
    Understand it:   frontwire follow FILE     (one article through every stage)
    Mend it:         frontwire check, frontwire dlq list
    """


for command in (annotate, check, cluster, demo, dlq, engines, follow, ingest, normalise, run, schemas, topics, up):
    cli.add_command(command)


def _interrupt(*_: object) -> None:
    """Make SIGTERM end a command as Ctrl-C does: what it started is stopped."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a refusal is one clear message and a non-zero exit code, never a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        cli(prog_name="frontwire")
    except (ConfigError, SettingsError) as refusal:
        fail(str(refusal), 2)
    except EngineError as error:
        fail(str(error))
    except (KafkaError, TransportError, Transient) as error:
        fail(f"an engine cannot be reached ({error}); is it running? `frontwire engines status`, docs/operations.md")
    except BrokenPipeError:
        sys.exit(1)
    except KeyboardInterrupt:
        fail("stopped", 130)


if __name__ == "__main__":
    main()
