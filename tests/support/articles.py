"""Generated articles for tests and benchmarks: distinct, in Vietnamese, of a chosen size in bytes, the same for the same seed."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.ids import article_id_for_text, trace_id_for
from shared.models import RawArticle, Source, milliseconds

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
_SUBJECTS = (
    "Quân đội Ukraine", "Bộ Quốc phòng Nga", "Tổng thống Zelensky", "Điện Kremlin", "Chính phủ Đức", "Phái đoàn Mỹ",
    "Cơ quan tình báo", "Người phát ngôn NATO", "Hội đồng thành phố", "Lực lượng cứu hộ", "Nhóm chuyên gia", "Đại sứ quán",
)  # fmt: skip
_VERBS = (
    "thông báo", "bác bỏ", "xác nhận", "cân nhắc", "trì hoãn", "đề xuất", "ghi nhận", "kêu gọi", "cảnh báo về", "hoan nghênh",
    "công bố", "rà soát",
)  # fmt: skip
_OBJECTS = ("kế hoạch sơ tán", "một đợt pháo kích", "lệnh ngừng bắn", "chuyến hàng viện trợ", "việc sửa đường dây điện",
            "cuộc đàm phán", "lô tên lửa Tomahawk", "tuyến phòng thủ", "chiến dịch mùa đông", "danh sách trao đổi tù binh",
            "kho nhiên liệu", "đoàn tàu chở ngũ cốc")  # fmt: skip
_PLACES = ("gần Kupyansk", "ở Kherson", "tại Kursk", "ngoài khơi Odessa", "phía đông Pokrovsk", "ở thủ đô Kiev", "tại Moskva",
           "dọc sông Dnipro", "quanh Bakhmut", "ở Zaporizhzhia", "tại Anchorage", "ở Sumy")  # fmt: skip
_TIMES = ("hôm 6/11", "sáng qua", "hồi tháng 9", "tuần trước", "tối 20/11", "tháng trước", "hôm nay", "đầu tháng 11")
_SYLLABLES = (
    "ba",
    "chi",
    "đo",
    "gia",
    "hà",
    "khê",
    "lam",
    "minh",
    "ngà",
    "phú",
    "quỳ",
    "sơn",
    "thu",
    "vinh",
    "xuân",
    "yên",
)


# Ordinary words, so that two articles share no more text by chance than news does.
_WORDS = """
    an áp ảnh bảo bền biên bình bộ bữa cảng cành cát cầu chậm chắc chia chợ chuyển cột củi cứng dài dân dây dốc dự đá
    đất đèn đêm đoàn đồi đường êm gạo gần ghế giá giấy giếng góc gỗ hạ hàng hẹp hiên hồ hộp hướng im kênh khách kho khó
    khói kín kính lạnh lắng lên lề lo lối lớn lúa lưới mái mạnh mặt mây mỏ mới mùa mưa nặng ngã ngăn nghề ngõ ngựa nhà
    nhẹ nhịp nông nước nương phà phên phố phòng phút quán quay quen rào rộng rừng ruộng sạch sâu sân sớm sườn tàu tay
    thang thành thẳng thấp thềm thợ thuyền thưa tiếng tìm toa tốt trạm trắng trên triền trong trống tủ tường vách vải
    vắng vận vòm vụ vườn xa xanh xe xóm
""".split()  # noqa: SIM905 (a list of words, not of lines)
# As many date mentions as the development articles have: about one in 400 characters.
_DATED_SENTENCES = 0.35
_SENTENCES = 3  # in a paragraph


def text_of(number: int, size: int = 2000, seed: int = 0) -> str:
    """Return the text of article `number`: a headline and paragraphs, about `size` bytes, unlike any other number's."""
    pick = random.Random(f"{seed}/{number}")

    def name() -> str:
        return "-".join(pick.choice(_SYLLABLES) for _ in range(3)).capitalize()

    def words(fewest: int, most: int) -> str:
        return " ".join(pick.choices(_WORDS, k=pick.randint(fewest, most)))

    def sentence() -> str:
        when = f" {pick.choice(_TIMES)}" if pick.random() < _DATED_SENTENCES else ""
        return (
            f"{pick.choice(_SUBJECTS)} {pick.choice(_VERBS)} {words(1, 3)} {pick.choice(_OBJECTS)} {words(1, 3)} "
            f"{pick.choice(_PLACES)}{when}, theo lời ông {name()} {words(1, 3)} đơn vị {name()} với {pick.randrange(10_000)} "
            f"người {words(3, 7)}."
        )

    headline = f"{pick.choice(_SUBJECTS)} {pick.choice(_VERBS)} {pick.choice(_OBJECTS)} ở {name()} số {number}"
    sentences: list[str] = []
    length = len(headline.encode())
    while not sentences or length < size:
        sentences.append(sentence())
        length += len(sentences[-1].encode())
    paragraphs = (" ".join(sentences[at : at + _SENTENCES]) for at in range(0, len(sentences), _SENTENCES))
    return "\n\n".join((headline, *paragraphs))


def page_of(title: str, text: str, links: int = 600) -> str:
    """Return the page of an article among the furniture of a site: a menu of so many links before it."""
    menu = "".join(f'<li><a href="/muc/{number}">Chuyên mục số {number}</a></li>' for number in range(links))
    paragraphs = "".join(f"<p>{line}</p>" for line in text.splitlines() if line)
    head = f"<title>{title}</title><meta property='article:published_time' content='2025-11-22T10:15:00+07:00'>"
    body = f"<nav><ul>{menu}</ul></nav><article><h1>{title}</h1>{paragraphs}</article>"
    return f"<html><head>{head}</head><body>{body}</body></html>"


def revised(text: str, number: int, revision: int) -> str:
    """Return the text of a revision of article `number`; the first is the text itself."""
    return text if revision == 1 else f"{text}\n\nBản cập nhật lần {revision} của bài số {number}."


def raw_article(number: int, size: int = 2000, seed: int = 0, revision: int = 1, text: str | None = None) -> RawArticle:
    """Return generated article `number`; a later revision has another body and a later `fetched_at`."""
    article_id = article_id_for_text(f"generated {seed}/{number}")
    fetched_at = START + timedelta(seconds=number, minutes=revision - 1)
    body = text if text is not None else text_of(number, size, seed)
    return RawArticle(
        article_id=article_id,
        feed="Generated",
        source=Source(name="Generated", language="vi", country="VN", timezone="Asia/Ho_Chi_Minh"),
        url=link_of(number, seed),
        text=revised(body, number, revision),
        feed_published="Fri, 21 Nov 2025 08:00:00 +0700",
        fetched_at=fetched_at,
        first_seen_at=START,
        revision=revision,
        trace_id=trace_id_for(article_id, milliseconds(fetched_at)),
    )


def raw_articles(count: int, size: int = 2000, seed: int = 0) -> Iterator[RawArticle]:
    """Yield the first `count` generated articles."""
    for number in range(count):
        yield raw_article(number, size, seed)


def link_of(number: int, seed: int = 0) -> str:
    """Return the address of a generated article."""
    return f"https://generated.example/{seed}/{number}"


def write_jsonl(path: Path, numbers: range, size: int = 2000, seed: int = 0, revision: int = 1) -> None:
    """Write generated articles as a .jsonl file for the fetcher."""
    with path.open("w", encoding="utf-8") as file:
        for number in numbers:
            text = revised(text_of(number, size, seed), number, revision)
            row = {"url": link_of(number, seed), "text": text, "published": "2025-11-21T08:00:00+07:00"}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
