"""The trained tagger behind the rules: what it adds, what it may not touch, and when it is not even asked."""

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest

from services.extractor import run as extractor
from services.extractor.entities import Found, Knowledge, find_entities, load_taggers
from services.extractor.entities.tagger_ru import read_model
from services.extractor.entities.tagging import Tagged, Tagger
from shared.models import EntityType
from shared.settings import Settings, SettingsError


class Counting:
    """A tagger that remembers what it was asked."""

    name = "counting"

    def __init__(self, real: Tagger) -> None:
        self.asked: list[str] = []
        self._real = real

    def tag(self, sentences: Sequence[str]) -> Iterable[Sequence[Tagged]]:
        self.asked += sentences
        return self._real.tag(sentences)

    def knows(self, word: str) -> bool:
        return self._real.knows(word)


class Greedy:
    """A tagger that takes every sentence, and each of its words, for a name of one kind."""

    name = "greedy"

    def __init__(self, kind: EntityType) -> None:
        self._kind = kind

    def tag(self, sentences: Sequence[str]) -> Iterable[Sequence[Tagged]]:
        for sentence in sentences:
            words = [Tagged(word.start(), word.end(), self._kind) for word in re.finditer(r"\S+", sentence)]
            yield [Tagged(0, len(sentence), self._kind), *words]

    def knows(self, word: str) -> bool:
        return False


@pytest.fixture(scope="module")
def russian() -> Tagger:
    return load_taggers(True)["ru"]


@pytest.fixture
def counting(russian: Tagger) -> Counting:
    return Counting(russian)


def find(text: str, knowledge: Knowledge, tagger: Tagger, language: str = "ru") -> list[Found]:
    return find_entities(text, language=language, knowledge=replace(knowledge, taggers={"ru": tagger}))


def tagged(found: Iterable[Found]) -> list[tuple[str, str, str]]:
    return [(item.text, item.type.value, item.canonical) for item in found if item.rule == "tagger"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Партию принял склад «Волготрест», счета закрыты.", [("Волготрест", "ORG", "org:volgotrest")]),
        ("Отряд вышел из Хпаана к реке.", [("Хпаана", "LOC", "loc:khpan")]),
        ("Их встретил Тхаунг Мьинт.", [("Тхаунг Мьинт", "PERSON", "person:tkhaung-mint")]),
        ("Снимки выложил Myitkyina Watch, место не названо.", [("Myitkyina Watch", "ORG", "org:mitkin-vatch")]),
        ("В порту стоит судно холдинга «Ингосудно», команду сняли.", [("Ингосудно", "ORG", "org:ingosudn")]),
    ],
)  # fmt: skip
def test_names_that_no_rule_covers(
    text: str, expected: list[tuple[str, str, str]], knowledge: Knowledge, russian: Tagger
) -> None:
    assert tagged(find(text, knowledge, russian)) == expected


def test_it_answers_as_slovnet_does(russian: Tagger) -> None:
    sentences = [
        "Партию принял склад «Волготрест», счета закрыты.",
        "Да.",
        "Их встретил Тхаунг Мьинт, посол Мьянмы в Ханое — бывший директор фирмы «Ингосудно-2» (Владивосток).",
        "СРОЧНО: пожар на улице им. А.П. Кузьмина, д. 5, горит 1,5-этажный дом!",
    ] * 12
    whole = [
        [(span.start, span.stop, span.type[:3]) for span in markup.spans] for markup in read_model().map(sentences)
    ]
    assert any(whole)
    assert [
        [(name.start, name.end, name.type.value[:3]) for name in names] for names in russian.tag(sentences)
    ] == whole


@pytest.mark.parametrize(
    "text",
    [
        "Вышла Вера, следом Любовь, а Май был холодным.",
        "На столе лежат Грамота и Кубок.",
        "СРОЧНО: ПОЖАР В ЗАВОЛЖЬЕ НЕ ПОТУШЕН",
        "Затем Оркестр играл Марш. Потом Занавес опустили.",
        "Российские и Украинские делегации вышли.",
    ],
)
def test_capitals_that_name_nothing(text: str, knowledge: Knowledge, russian: Tagger) -> None:
    assert tagged(find(text, knowledge, russian)) == []


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Президент России Владимир Путин прибыл в Минск. Погода плохая.", "ru"),
        ("Вчера стреляли. Потом стихло, и люди вышли.", "ru"),
        ("На столе лежат Грамота и Кубок, вошла Вера.", "ru"),
        ("ГОРОД МЬЯВАДИ ОСТАВЛЕН", "ru"),
        ("Загін вийшов із Хпаана до річки.", "uk"),
        ("Đoàn rời Hpa-An hôm qua.", "vi"),
        ("", "ru"),
    ],
)
def test_sentences_without_an_uncovered_name_never_reach_the_tagger(
    text: str, language: str, knowledge: Knowledge, counting: Counting
) -> None:
    find(text, knowledge, counting, language)
    assert counting.asked == []


def test_only_the_sentences_with_an_uncovered_name_are_asked(knowledge: Knowledge, counting: Counting) -> None:
    text = "Путин прибыл в Минск. Отряд А. Б. Тхаунга вышел из Хпаана!\nВ Киеве тихо. «Волготрест» закрыт."
    find(text, knowledge, counting)
    assert counting.asked == ["Отряд А. Б. Тхаунга вышел из Хпаана!", "«Волготрест» закрыт."]


def test_a_line_without_end_is_not_asked(knowledge: Knowledge, counting: Counting) -> None:
    find("Отряд вышел из Хпаана и шёл, " + "шёл, " * 300 + "пока не устал.", knowledge, counting)
    assert counting.asked == []


def test_case_forms_of_one_name_share_an_id(knowledge: Knowledge, russian: Tagger) -> None:
    text = "Отряд вышел из Хпаана. К Хпаану ведёт дорога, под Хпааном мины. Счета «Волготреста» закрыты, «Волготресту» отказали."
    found = find(text, knowledge, russian)
    assert {item.canonical for item in found} == {"loc:khpan", "org:volgotrest"}
    assert len(found) == 5


def test_a_tagged_name_takes_the_id_that_a_rule_gave_it(knowledge: Knowledge, russian: Tagger) -> None:
    text = "Об этом пишет «Вегатрас Инфо». Позже суд арестовал счета «Вегатраса Инфо», акции упали."
    found = find(text, knowledge, russian)
    assert [item.rule for item in found] == ["class-word", "tagger"]
    assert len({item.canonical for item in found}) == 1


def test_a_tagged_person_is_known_by_surname(knowledge: Knowledge, russian: Tagger) -> None:
    found = find("Их встретил Тхаунг Мьинт. Позже Мьинт уехал.", knowledge, russian)
    assert [(item.text, item.rule) for item in found] == [("Тхаунг Мьинт", "tagger"), ("Мьинт", "surname")]
    assert {item.canonical for item in found} == {"person:tkhaung-mint"}


def test_what_the_rules_found_stays(knowledge: Knowledge) -> None:
    text = "Владимир Путин прибыл из Хпаана в Минск. Отчёт из Киева читал Бурдуков."
    ruled = find_entities(text, language="ru", knowledge=knowledge)
    found = find(text, knowledge, Greedy(EntityType.ORG))
    assert ruled
    assert [item for item in found if item.rule != "tagger"] == ruled
    assert [item.text for item in found if item.rule == "tagger"] == ["Хпаана", "Бурдуков"]


def test_the_meaning_that_a_context_refuses_is_refused_from_a_tagger(knowledge: Knowledge) -> None:
    text = "Урожай убирает старый комбайн «Дон», второй стоит."
    assert tagged(find(text, knowledge, Greedy(EntityType.LOC))) == []
    assert tagged(find(text, knowledge, Greedy(EntityType.ORG))) == [("Дон", "ORG", "org:don")]


def test_taggers_are_loaded_when_wanted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "slovnet", None)
    assert load_taggers(False) == {}
    with pytest.raises(SettingsError, match=r"FRONTWIRE_NAME_TAGGERS: .*slovnet.*install the project with its extra"):
        load_taggers(True)


def test_the_stage_takes_the_taggers_that_the_setting_asks_for(
    monkeypatch: pytest.MonkeyPatch, knowledge: Knowledge
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(extractor, "load_taggers", asked.append)
    monkeypatch.setattr(extractor, "load_knowledge", lambda *_, **__: knowledge)
    extractor.extractor_stage(Settings())
    extractor.extractor_stage(Settings(name_taggers=True))
    assert asked == [False, True]
