"""The runner suite's stage as a process on Faust: `python -m tests.support.suite_worker`."""

from shared import faust_runner
from shared.service import main, service
from shared.settings import Settings
from tests.contract.runner_suite import STAGE, suite_stage


def run(settings: Settings) -> None:
    """Run the suite's stage until SIGTERM."""
    with service(STAGE, settings) as running:
        faust_runner.run(running, faust_runner.Stateless(suite_stage()))


if __name__ == "__main__":
    main(run)
