"""One case for each class of rule, small enough to show what it is for."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.extractor.entities import Found, Knowledge, find_entities
from shared.models import EntityType


def find(text: str, knowledge: Knowledge, language: str = "vi") -> list[Found]:
    return find_entities(text, language=language, knowledge=knowledge)


def surfaces(text: str, knowledge: Knowledge, language: str, kind: EntityType) -> list[str]:
    return [item.text for item in find(text, knowledge, language) if item.type is kind]


def ids(text: str, knowledge: Knowledge, language: str = "vi") -> list[tuple[str, str]]:
    return [(item.text, item.canonical) for item in find(text, knowledge, language)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Quan hệ Nga-Ukraine xấu đi.", [("Nga", "Q159"), ("Ukraine", "Q212")]),
        ("Trục Nga-Trung mạnh lên.", [("Nga", "Q159"), ("Trung", "Q148")]),
        ("Ông Trung giữ vai trò trung gian ở miền Trung.", [("Trung", None)]),
        ("Tiếng Nga khó học.", []),
        ("Pháp luật không cho phép.", []),
        ("Ý kiến của Ý được ghi nhận.", [("Ý", "Q38")]),
        ("Thủ đô Washington đón bang Washington.", [("Washington", "Q61"), ("Washington", "Q1223")]),
        ("Thành phố Krasnoarmeysk, tức Pokrovsk.", [("Krasnoarmeysk", "gn:704422"), ("Pokrovsk", "gn:704422")]),
        ("Tỉnh Kherson khác thành phố Kherson.", [("Kherson", "loc:kherson-oblast"), ("Kherson", "gn:706448")]),
    ],
)
def test_ambiguous_names(text: str, expected: list[tuple[str, str | None]], knowledge: Knowledge) -> None:
    found = ids(text, knowledge)
    assert [surface for surface, _ in found] == [surface for surface, _ in expected]
    assert all(wanted in (None, identifier) for (_, identifier), (_, wanted) in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Он поговорил с Владимиром Зеленским.", "ru", "Q3874799"),
        ("Удар по Купянску.", "ru", "gn:703656"),
        ("Вони поїхали до Києва.", "uk", "Q1899"),
        ("У ЛЬВОВІ ТИХО", "uk", "gn:702550"),
    ],
)
def test_case_forms(text: str, language: str, expected: str, knowledge: Knowledge) -> None:
    assert [identifier for _, identifier in ids(text, knowledge, language)] == [expected]


def test_title_country_person_are_two_mentions(knowledge: Knowledge) -> None:
    assert ids("Tổng thống Nga Vladimir Putin phát biểu.", knowledge) == [("Nga", "Q159"), ("Vladimir Putin", "Q7747")]


def test_initials_belong_to_the_name(knowledge: Knowledge) -> None:
    assert ids("Theo V.Putin. Hai bên đồng ý.", knowledge) == [("V.Putin", "Q7747")]


def test_surname_takes_the_id_of_the_full_name(knowledge: Knowledge) -> None:
    full, short = find("Chuyên gia Ivan Stepashkin nói. Ông Stepashkin thêm rằng chưa muộn.", knowledge)
    assert full.canonical == short.canonical
    assert (short.text, short.rule) == ("Stepashkin", "surname")


def test_private_names_hold_in_one_article_only(knowledge: Knowledge) -> None:
    (first,) = find("Chị Nga về nhà.", knowledge)
    (second,) = find("Chị Nga đi chợ.", knowledge)
    assert first.type is EntityType.PERSON
    assert first.canonical != second.canonical


def test_another_first_name_is_another_person(knowledge: Knowledge) -> None:
    assert ids("Melania Trump đến Kiev.", knowledge)[0][1] != "Q22686"


@pytest.mark.parametrize(
    ("text", "language", "surface"),
    [
        ("Bộ Quốc phòng Nga xác nhận.", "vi", "Bộ Quốc phòng Nga"),
        ("The Russian Defence Ministry confirmed it.", "en", "Russian Defence Ministry"),
        ("В Минобороны России подтвердили.", "ru", "Минобороны России"),
    ],
)
def test_ministries_take_their_country_in(text: str, language: str, surface: str, knowledge: Knowledge) -> None:
    (found,) = find(text, knowledge, language)
    assert (found.text, found.canonical) == (surface, "org:ministry-of-defence-russia")


@pytest.mark.parametrize(
    "text", ["Quân đội Nga tiến lên.", "Chính quyền Nga im lặng.", "Bộ trưởng Quốc phòng Nga nói."]
)
def test_descriptions_mark_the_country_only(text: str, knowledge: Knowledge) -> None:
    assert ids(text, knowledge) == [("Nga", "Q159")]


@pytest.mark.parametrize(
    ("text", "surface", "identifier"),
    [
        ("Tiêm kích Su-34M cất cánh.", "Su-34M", "weapon:su-34"),
        ("Máy bay F-16V hạ cánh.", "F-16V", "Q100026"),
        ("Tên lửa Iskander-M bay qua.", "Iskander-M", "weapon:iskander"),
        ("UAV Geran-2 giống Shahed.", "Geran-2", "weapon:shahed-136"),
        ("Bom FAB-1500 rơi xuống.", "FAB-1500", "weapon:fab-1500"),
    ],
)
def test_designations(text: str, surface: str, identifier: str, knowledge: Knowledge) -> None:
    found = find(text, knowledge)[0]
    assert (found.text, found.canonical) == (surface, identifier)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Đoàn xe theo quốc lộ H-20 rồi rẽ sang đường cao tốc M-14.", "vi"),
        ("The M-30 highway and route T-0504 are closed.", "en"),
        ("Перерезана трасса Н-20, к дороге Т-05-04 вышли утром.", "ru"),
        ("Закрито трасу М-04, а дорогою Р-66 їдуть автобуси.", "uk"),
    ],
)
def test_roads_are_no_weapons(text: str, language: str, knowledge: Knowledge) -> None:
    assert find(text, knowledge, language) == []


def test_units_by_number(knowledge: Knowledge) -> None:
    (vietnamese,) = find("Lữ đoàn cơ giới 47 rút lui.", knowledge)
    (english,) = find("The 47th Mechanized Brigade withdrew.", knowledge, "en")
    assert vietnamese.canonical == english.canonical == "org:brigade-47"


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("Polish Interior Minister Marcin Kowal resigned.", "Marcin Kowal"),
        ("Ukrainian Deputy Economy Minister Taras Lysko spoke.", "Taras Lysko"),
        ("They met Trade Representative Jamie Gray in Doha.", "Jamie Gray"),
        ("Regional Governor Ivan Zaluzhko replied.", "Ivan Zaluzhko"),
    ],
)
def test_english_offices_lead_to_persons(text: str, person: str, knowledge: Knowledge) -> None:
    assert surfaces(text, knowledge, "en", EntityType.PERSON) == [person]


@pytest.mark.parametrize(
    ("text", "surface", "identifier"),
    [
        ("Bộ quốc phòng Nga xác nhận.", "Bộ quốc phòng Nga", "org:ministry-of-defence-russia"),
        ("Theo bộ Quốc phòng Anh, đó là tin giả.", "bộ Quốc phòng Anh", "org:ministry-of-defence-united-kingdom"),
        ("Tổng cục tình báo Ukraine lên tiếng.", "Tổng cục tình báo Ukraine", "org:hur"),
    ],
)
def test_bodies_with_fewer_capitals(text: str, surface: str, identifier: str, knowledge: Knowledge) -> None:
    assert ids(text, knowledge) == [(surface, identifier)]
    assert ids("Hai bộ quốc phòng đã trao đổi.", knowledge) == []


def test_a_body_ends_before_the_next_one(knowledge: Knowledge) -> None:
    found = ids("Bộ Tư lệnh Hậu cần Miền và Quân khu Leningrad ký kết.", knowledge)
    assert [surface for surface, _ in found] == ["Bộ Tư lệnh Hậu cần Miền", "Quân khu Leningrad"]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Binh sĩ còn chốt giữ Novoprudivka.", "vi", ["Novoprudivka"]),
        ("Дым виден над Тернопрудовкой весь день.", "ru", ["Тернопрудовкой"]),
        ("Вранці чергова винтовка лежала поруч.", "uk", []),
    ],
)
def test_slavic_towns_by_their_ending(text: str, language: str, expected: list[str], knowledge: Knowledge) -> None:
    assert surfaces(text, knowledge, language, EntityType.LOC) == expected


def test_a_list_of_towns_has_towns_only(knowledge: Knowledge) -> None:
    found = ids("Pháo rơi xuống Uspenivka, Novouspenivske và Yablukove.", knowledge)
    assert [identifier for _, identifier in found][1:] == ["loc:novouspenivske", "loc:yablukove"]


def test_a_squadron_of_aircraft_is_no_unit(knowledge: Knowledge) -> None:
    assert ids("Phi đội F-16 cất cánh.", knowledge) == [("F-16", "Q100026")]


def test_an_abbreviation_in_brackets_stands_for_what_is_written_out(knowledge: Knowledge) -> None:
    assert ids("Cơ quan cứu trợ của LHQ (QXRWA) rút đi.", knowledge) == [("LHQ", "Q1065")]


@pytest.mark.parametrize(
    ("text", "language", "persons"),
    [
        ("Об этом заявил министр транспорта Абдулкадир Лунглу.", "ru", ["Абдулкадир Лунглу"]),
        ("Приїхав голова правління Богдан Кукша.", "uk", ["Богдан Кукша"]),
        ("Выступил директор компании Новая Пристань.", "ru", []),
    ],
)
def test_offices_with_what_they_are_for(text: str, language: str, persons: list[str], knowledge: Knowledge) -> None:
    assert surfaces(text, knowledge, language, EntityType.PERSON) == persons


def test_compass_adjectives_are_no_towns(knowledge: Knowledge) -> None:
    assert ids("Речниця Південного командування мовчить.", knowledge, "uk") == []
    assert ids("Войска Южного военного округа прибыли.", knowledge, "ru") == []
    assert ids("Село Північне обстріляли.", knowledge, "uk") == [("Північне", "gn:705821")]


def test_english_places_by_their_last_word(knowledge: Knowledge) -> None:
    found = ids("Drones fell near Gorse Island and in Stavropol Krai, the governor of Perm Krai said.", knowledge, "en")
    assert found == [
        ("Gorse Island", "loc:gorse-island"),
        ("Stavropol", "loc:stavropol-krai"),
        ("Perm", "loc:perm-krai"),
    ]


def test_headlines_in_capitals(knowledge: Knowledge) -> None:
    assert ids("NGA SẴN SÀNG ĐÀM PHÁN VỚI UKRAINE", knowledge) == [("NGA", "Q159"), ("UKRAINE", "Q212")]


def test_decomposed_text_keeps_its_offsets(knowledge: Knowledge) -> None:
    text = unicodedata.normalize("NFD", "Bộ Quốc phòng Nga nói về Kyiv.")
    first, second = find(text, knowledge)
    assert unicodedata.normalize("NFC", first.text) == "Bộ Quốc phòng Nga"
    assert text[second.start : second.end] == "Kyiv"


@settings(max_examples=60)
@given(text=st.text(alphabet="Ngaà́ Mỹ-Ukraine.“”\n V.Путіна'’ 47", max_size=60))
def test_any_text_gives_ordered_mentions(text: str, knowledge: Knowledge) -> None:
    end = 0
    for item in find(text, knowledge):
        assert end <= item.start < item.end <= len(text)
        assert item.text == text[item.start : item.end]
        end = item.end


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("KYIV, Nov 7 - Power is back.", "en", ["Q1899"]),
        ("Xuất khẩu giảm trong quý III so với năm ngoái.", "vi", []),
        ("Hội nghị bàn về châu Á\nĐức Trí - Theo một tờ báo.", "vi", ["Q48"]),
        ("Cơ quan Chống Rửa tiền (CQRT) đã họp.", "vi", ["org:co-quan-chong-rua-tien"] * 2),
        ("Tàu cập cảng Ust-Luga.", "vi", ["loc:ust-luga"]),
        ("Các làng Lipivka, Qorvo và Umlau thất thủ.", "vi", ["loc:lipivka", "loc:qorvo", "loc:umlau"]),
        ("Tên lửa Xanhthor và Qirin bay qua.", "vi", ["weapon:xanhthor", "weapon:qirin"]),
        (
            "The Coastal Rescue Bureau met the Party of Green Hills.",
            "en",
            ["org:coastal-rescue-bureau", "org:party-of-green-hills"],
        ),
        ("Хан-Юнис стоит. Бои в Тель-Авиве.", "ru", ["gn:281124", "Q33935"]),
    ],
)
def test_names_by_what_stands_around_them(text: str, language: str, expected: list[str], knowledge: Knowledge) -> None:
    found = [identifier for _, identifier in ids(text, knowledge, language)]
    assert found == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Об этом рассказал «Трасе».", "ru", [("Трасе", "ORG")]),
        ("Представитель «Гидротруба» не ответил.", "ru", [("Гидротруба", "ORG")]),
        ("Речник «Дністерводу» мовчить.", "uk", [("Дністерводу", "ORG")]),
        ("Ночью боец «Кедр» сбил цель.", "ru", [("Кедр", "PERSON")]),
        ("Вночі комбат «Явір» вийшов.", "uk", [("Явір", "PERSON")]),
    ],
)
def test_chevrons_hold_a_body_or_a_call_sign(
    text: str, language: str, expected: list[tuple[str, str]], knowledge: Knowledge
) -> None:
    assert [(item.text, item.type.value) for item in find(text, knowledge, language)] == expected


def test_a_surname_is_known_behind_the_word_that_opens_its_sentence(knowledge: Knowledge) -> None:
    found = ids("Выступил депутат Семён Бурдуков. Позже Бурдуков уехал.", knowledge, "ru")
    assert [surface for surface, _ in found] == ["Семён Бурдуков", "Бурдуков"]
    assert len({identifier for _, identifier in found}) == 1


def test_case_forms_behind_class_words_share_an_id(knowledge: Knowledge) -> None:
    found = ids("В деревне Хлопуновка тихо. Из деревни Хлопуновки вышли. В компании «Трастеле» обыск.", knowledge, "ru")
    assert [identifier for _, identifier in found] == ["loc:khlopunovk", "loc:khlopunovk", "org:trastel"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Переправа разрушена, пишет Khlopun Gazetteer.", "ru"),
        ("По данным Khlopun Gazetteer, мост разрушен.", "ru"),
        ("Міст зруйновано, повідомляє Khlopun Gazetteer.", "uk"),
    ],
)
def test_latin_names_behind_words_of_sources(text: str, language: str, knowledge: Knowledge) -> None:
    assert ids(text, knowledge, language) == [("Khlopun Gazetteer", "org:khlopun-gazetteer")]
