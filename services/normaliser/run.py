"""The normaliser: articles-raw-v1 to articles-normalised-v1, on Faust."""

from typing import Final

from services.normaliser.rules import load_rules
from services.normaliser.transform import normalise
from shared import faust_runner
from shared.ids import family_of
from shared.models import RawArticle
from shared.reload import Reloading
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_NORMALISED, ARTICLES_RAW

STAGE: Final = "normaliser"


def normaliser_stage(settings: Settings) -> Stage[RawArticle]:
    """Return the stage with the built-in rules and the operator's own, which are followed while it runs."""
    folder = settings.config_dir / "rules"
    rules = Reloading("rules", lambda: load_rules([folder]), lambda: folder.glob("*.yaml"))
    return Stage(
        STAGE,
        ARTICLES_RAW,
        RawArticle,
        ARTICLES_NORMALISED,
        lambda raw: normalise(raw, rules=rules.get()),
        heirs=family_of,
    )


def run(settings: Settings) -> None:
    """Run the normaliser until SIGTERM."""
    stage = normaliser_stage(settings)
    with service(STAGE, settings) as running:
        faust_runner.run(running, faust_runner.Stateless(stage))
