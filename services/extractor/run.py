"""The extractor: articles-normalised-v1 to articles-extracted-v1, on Faust."""

from typing import Final

from services.extractor.entities import knowledge_files, load_knowledge, load_taggers
from services.extractor.transform import extract
from shared import faust_runner
from shared.models import NormalisedArticle
from shared.reload import Reloading
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_NORMALISED

STAGE: Final = "extractor"


def extractor_stage(settings: Settings) -> Stage[NormalisedArticle]:
    """Return the stage with the alias sets and the watchlist, which are followed while it runs, and the taggers if wanted."""
    folder, taggers = settings.config_dir, load_taggers(settings.name_taggers)
    knowledge = Reloading("knowledge", lambda: load_knowledge(folder, taggers=taggers), lambda: knowledge_files(folder))
    return Stage(
        STAGE,
        ARTICLES_NORMALISED,
        NormalisedArticle,
        ARTICLES_EXTRACTED,
        lambda article: extract(article, knowledge=knowledge.get()),
    )


def run(settings: Settings) -> None:
    """Run the extractor until SIGTERM."""
    stage = extractor_stage(settings)
    with service(STAGE, settings) as running:
        faust_runner.run(running, faust_runner.Stateless(stage))
