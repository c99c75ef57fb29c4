"""Entities: names in a text, what they stand for, and the operator's alias sets and watchlist behind them."""

from services.extractor.entities.find import Found, find_entities
from services.extractor.entities.knowledge import Knowledge, knowledge_files, load_knowledge
from services.extractor.entities.taggers import load_taggers

__all__ = ["Found", "Knowledge", "find_entities", "knowledge_files", "load_knowledge", "load_taggers"]
