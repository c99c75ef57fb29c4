"""The extractor: articles-normalised-v1 to articles-extracted-v1, on Faust."""

from typing import Final

from services.extractor.transform import extract, knowledge_files, load_knowledge
from shared import faust_runner
from shared.models import NormalisedArticle
from shared.reload import Reloading
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_EXTRACTED, ARTICLES_NORMALISED

STAGE: Final = "extractor"


def run(settings: Settings) -> None:
    """Run the extractor until SIGTERM; changed alias sets and watchlists take effect while it runs."""
    folder = settings.config_dir
    knowledge = Reloading("knowledge", lambda: load_knowledge(folder), lambda: knowledge_files(folder))
    stage = Stage(
        STAGE,
        ARTICLES_NORMALISED,
        NormalisedArticle,
        ARTICLES_EXTRACTED,
        lambda article: extract(article, knowledge=knowledge.get()),
    )
    with service(STAGE, settings, handle_signals=False) as running:
        faust_runner.run(running, faust_runner.Stateless(stage))
