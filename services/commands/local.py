"""`frontwire up`: the whole wire on one machine, with the local engines."""

import time
from contextlib import closing
from urllib.parse import urlsplit

import click

from services.commands.common import err, out, print_table
from shared import local_engines, topic_admin
from shared.kafka_clients import make_admin
from shared.local_engines import EngineSettings, default_repository
from shared.settings import Settings, load_settings
from shared.supervisor import SERVICES, Supervisor, supervised


def engine_settings(settings: Settings) -> EngineSettings:
    """Return how the local engines of these settings are to be run: ports from the addresses, data under data_dir."""
    kafka_port = int(settings.kafka_bootstrap.split(",")[0].rpartition(":")[2])
    elasticsearch_port = urlsplit(settings.elasticsearch_url).port or 9200
    return EngineSettings(
        cache=settings.cache_dir,
        data=settings.data_dir / "engines",
        repository=settings.maven_repository or default_repository(),
        kafka_port=kafka_port,
        elasticsearch_port=elasticsearch_port,
        java_options=tuple((settings.engine_java_options or "").split()),
    )


@click.command()
def up() -> None:
    """Run the local engines and every service with your configuration, until Ctrl-C. Data is kept between runs.

    Reads FRONTWIRE_CONFIG_DIR (deploy/config), keeps everything under FRONTWIRE_DATA_DIR (.frontwire).
    """
    settings = load_settings()
    local = engine_settings(settings)
    engines = local_engines.start(local, err)
    try:
        with closing(make_admin(settings)) as admin:
            topic_admin.apply(admin)
        with supervised(settings, SERVICES) as supervisor:
            _show(supervisor, engines)
            while True:
                time.sleep(1)
                for restarted in supervisor.restart_dead():
                    err.print(f"{restarted.job.label} ended by itself and was started again, see {restarted.log}")
    except KeyboardInterrupt:
        out.print("stopping")
    finally:
        for name in engines.started:
            local_engines.stop(local, name)


def _show(supervisor: Supervisor, engines: local_engines.Engines) -> None:
    print_table("Frontwire is up (Ctrl-C stops it)", ("what", "address", "log"), [
        ("kafka", engines.bootstrap_servers, ""),
        ("elasticsearch", engines.elasticsearch_url, ""),
        *((running.job.label, f"{running.metrics_url}/metrics", running.log) for running in supervisor.running.values()),
    ])  # fmt: skip
