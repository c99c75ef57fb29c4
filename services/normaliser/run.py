"""The normaliser: articles-raw-v1 to articles-normalised-v1, on Faust."""

from pathlib import Path
from typing import Final

from services.normaliser.rules import load_rules, rule_files
from services.normaliser.transform import normalise
from shared import faust_runner
from shared.models import RawArticle
from shared.reload import Reloading
from shared.service import service
from shared.settings import Settings
from shared.stage import Stage
from shared.topics import ARTICLES_NORMALISED, ARTICLES_RAW

STAGE: Final = "normaliser"


def rule_folders(settings: Settings) -> list[Path]:
    """Return where the operator's own clean-up rules live, beside the built-in ones."""
    return [settings.config_dir / "rules"]


def run(settings: Settings) -> None:
    """Run the normaliser until SIGTERM."""
    folders = rule_folders(settings)
    rules = Reloading("rules", lambda: load_rules(folders), lambda: rule_files(folders))
    stage = Stage(STAGE, ARTICLES_RAW, RawArticle, ARTICLES_NORMALISED, lambda raw: normalise(raw, rules=rules.get()))
    with service(STAGE, settings, handle_signals=False) as running:
        faust_runner.run(running, faust_runner.Stateless(stage))
