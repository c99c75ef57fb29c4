"""What the operator sees in Kibana, as data: data views, saved searches and four dashboards.

A count that means "news" counts distinct stories. `frontwire kibana build` makes deploy/kibana/frontwire.ndjson of it.
"""

from dataclasses import dataclass
from typing import Final, Literal

from shared import kibana_links

Operation = Literal["count", "date_histogram", "max", "median", "min", "percentile", "sum", "terms", "unique_count"]
Shape = Literal["bar", "bar_horizontal", "bar_stacked", "cloud", "line", "map", "metric", "search", "table"]


@dataclass(frozen=True)
class View:
    """A data view: an index pattern with the field that its time filter means."""

    id: str
    alias: str
    name: str
    time_field: str

    @property
    def title(self) -> str:
        """The index pattern."""
        return f"{self.alias}-*"


@dataclass(frozen=True)
class Where:
    """A condition: a field holds one of these values, or, when `not_`, none of them."""

    field: str
    values: tuple[str, ...]
    not_: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a panel: a bucket (`terms`, `date_histogram`) or a number, of one field."""

    operation: Operation
    field: str = ""
    label: str = ""
    size: int = 10
    interval: str = "auto"
    percentile: int = 95
    where: Where | None = None

    @property
    def is_bucket(self) -> bool:
        """Whether the column divides the documents instead of counting them."""
        return self.operation in ("terms", "date_histogram")


@dataclass(frozen=True)
class Panel:
    """A panel: its shape, its columns (buckets first) over a data view, and its size on the grid of 48 columns."""

    id: str
    title: str
    shape: Shape
    columns: tuple[Column, ...] = ()
    view: str = "news-articles"
    where: tuple[Where, ...] = ()
    width: int = 24
    height: int = 12


@dataclass(frozen=True)
class Search:
    """A saved search: the columns it lists, and its order."""

    id: str
    title: str
    columns: tuple[str, ...]
    sort: tuple[tuple[str, Literal["asc", "desc"]], ...]
    view: str = "news-articles"
    where: tuple[Where, ...] = ()


@dataclass(frozen=True)
class Dashboard:
    """A dashboard: its panels row by row, its period, and the fields an operator narrows it by."""

    id: str
    title: str
    description: str
    panels: tuple[Panel, ...]
    time_from: str
    controls: tuple[tuple[str, str, str], ...] = ()
    refresh_seconds: int = 60


VIEWS: Final = (
    View("news-articles", "news-articles", "Tin theo giờ đăng", "published_at"),
    View("news-arrivals", "news-articles", "Tin theo giờ nhận", "first_seen_at"),
    View("news-events", "news-articles", "Tin theo ngày sự kiện", "event_days"),
    View("news-alerts", "news-alerts", "Cảnh báo", "opened_at"),
    View("news-dead-letters", "news-dead-letters", "Bản ghi bị từ chối", "at"),
    View("news-feeds", "news-feeds", "Nguồn tin", "updated_at"),
    View("news-takedowns", "news-takedowns", "Bài đã gỡ", "at"),
)

COPY: Final = Where("is_copy", ("true",))
ORIGINAL: Final = Where("is_copy", ("true",), not_=True)
UNDATED: Final = Where("flags", ("undated",))
OPEN: Final = Where("state", ("open", "acknowledged"))

STORIES: Final = Column("unique_count", "story_id", "Tin riêng biệt")
ARTICLES: Final = Column("count", label="Bài")
BY_LANGUAGE: Final = Column("terms", "language", "Ngôn ngữ", 8)
BY_SOURCE: Final = Column("terms", "source.name", "Nguồn", 15)
BY_KEYWORD: Final = Column("terms", "keywords", "Từ khoá", 8)
BY_ENTITY: Final = Column("terms", "entity_names", "Thực thể", 50)
HOURLY: Final = Column("date_histogram", "published_at", "Giờ đăng", interval="1h")

SEARCHES: Final = (
    Search(kibana_links.ARTICLES_SEARCH, "Mọi bài, theo giờ nhận",
           ("title", "source.name", "language", "keywords", "published_at"),
           (("first_seen_at", "desc"),), view="news-arrivals"),
    Search(kibana_links.STORIES_SEARCH, "Bài mới nhất, không kể bài trùng", ("title", "source.name", "language", "keywords"),
           (("published_at", "desc"),), where=(ORIGINAL,)),
    Search("frontwire-oldest", "Bài đầu tiên của mỗi tin", ("title", "source.name", "language", "story_id"),
           (("published_at", "asc"),), where=(ORIGINAL,)),
    Search("frontwire-undated", "Bài không rõ ngày đăng", ("title", "source.name", "published.explanation"),
           (("first_seen_at", "desc"),), view="news-arrivals", where=(UNDATED,)),
    Search("frontwire-alert-list", "Danh sách cảnh báo", ("keyword", "severity", "state", "reason_vi", "links.dashboard"),
           (("opened_at", "desc"),), view="news-alerts"),
    Search("frontwire-refused", "Bản ghi bị từ chối", ("stage", "reason", "error", "topic", "preview"),
           (("at", "desc"),), view="news-dead-letters"),
)  # fmt: skip

_CONTROLS: Final = (
    ("news-articles", "language", "Ngôn ngữ"),
    ("news-articles", "source.name", "Nguồn"),
    ("news-articles", "keywords", "Từ khoá"),
    ("news-articles", "entity_names", "Thực thể"),
)

OVERVIEW: Final = Dashboard(
    kibana_links.OVERVIEW_DASHBOARD, "Toàn cảnh", "Tin tức 24 giờ qua: bao nhiêu tin riêng biệt, về ai, ở đâu, từ nguồn nào.",
    time_from="now-24h", controls=_CONTROLS, panels=(
        Panel("stories", "Tin riêng biệt", "metric", (STORIES,), width=12, height=6),
        Panel("articles", "Bài, kể cả bài trùng", "metric", (ARTICLES,), width=12, height=6),
        Panel("copies", "Bài trùng", "metric", (Column("count", label="Bài trùng", where=COPY),), width=12, height=6),
        Panel("undated", "Bài không rõ ngày đăng (theo giờ nhận)", "metric",
              (Column("count", label="Không rõ ngày", where=UNDATED),), view="news-arrivals", width=12, height=6),
        Panel("by-hour", "Tin theo giờ đăng và ngôn ngữ", "bar_stacked", (HOURLY, BY_LANGUAGE, STORIES)),
        Panel("by-event", "Tin theo ngày sự kiện", "bar_stacked",
              (Column("date_histogram", "event_days", "Ngày sự kiện", interval="1d"), BY_LANGUAGE, STORIES), view="news-events"),
        Panel("unanchored", "Mốc thời gian không định được ngày", "metric",
              (Column("sum", "unanchored_dates", "Mốc không định được"),), width=12, height=8),
        Panel("keyword-cloud", "Mây từ khoá", "cloud", (Column("terms", "keywords", "Từ khoá", 40), STORIES), width=36, height=8),
        Panel("keywords", "Từ khoá theo giờ", "line", (HOURLY, BY_KEYWORD, STORIES)),
        Panel("sources", "Nguồn", "bar_horizontal", (BY_SOURCE, STORIES)),
        Panel("entities", "Thực thể", "table", (BY_ENTITY, STORIES, ARTICLES)),
        Panel("map", "Bản đồ địa danh", "map", (STORIES,)),
        Panel("open-alerts", "Cảnh báo đang mở", "table",
              (Column("terms", "keyword", "Từ khoá", 20), Column("max", "score", "Điểm"), Column("min", "opened_at", "Mở lúc")),
              view="news-alerts", where=(OPEN,)),
        Panel(kibana_links.STORIES_SEARCH, "Bài mới nhất", "search"),
    ),
)  # fmt: skip

KEYWORD: Final = Dashboard(
    kibana_links.KEYWORD_DASHBOARD, "Một từ khoá",
    "Mở từ một cảnh báo: tin riêng biệt theo thời gian, nguồn, thực thể, nơi chốn.",
    time_from="now-3d", controls=_CONTROLS, panels=(
        Panel("stories", "Tin riêng biệt", "metric", (STORIES,), width=16, height=6),
        Panel("sources-count", "Số nguồn", "metric", (Column("unique_count", "source.name", "Nguồn"),), width=16, height=6),
        Panel("copies", "Bài trùng", "metric", (Column("count", label="Bài trùng", where=COPY),), width=16, height=6),
        Panel("by-ten-minutes", "Tin riêng biệt mỗi 10 phút, theo giờ đăng", "bar",
              (Column("date_histogram", "published_at", "Giờ đăng", interval="10m"), STORIES)),
        Panel("by-event", "Tin theo ngày sự kiện", "bar",
              (Column("date_histogram", "event_days", "Ngày sự kiện", interval="1d"), STORIES),
              view="news-events"),
        Panel("sources", "Nguồn", "bar_horizontal", (BY_SOURCE, STORIES), width=16),
        Panel("languages", "Ngôn ngữ", "bar_horizontal", (BY_LANGUAGE, STORIES), width=16),
        Panel("sides", "Bên nào nói", "bar_horizontal", (Column("terms", "source.side", "Bên"), STORIES), width=16),
        Panel("entities", "Thực thể cùng xuất hiện", "table", (BY_ENTITY, STORIES, ARTICLES)),
        Panel("map", "Bản đồ địa danh", "map", (STORIES,)),
        Panel("frontwire-oldest", "Bài đầu tiên", "search"),
        Panel(kibana_links.ARTICLES_SEARCH, "Mọi bài theo giờ nhận", "search"),
    ),
)  # fmt: skip

FEEDS: Final = Dashboard(
    kibana_links.FEEDS_DASHBOARD, "Sức khoẻ nguồn tin", "Nguồn nào im lặng, hỏng, chậm; bản ghi nào bị từ chối và vì sao.",
    time_from="now-7d", controls=(("news-arrivals", "source.name", "Nguồn"),), panels=(
        Panel("feeds", "Nguồn tin lần cuối", "table",
              (Column("terms", "feed", "Nguồn", 100), Column("max", "last_success_at", "Đọc được"),
               Column("max", "last_new_at", "Có tin mới"),
               Column("max", "failures", "Lần hỏng liên tiếp"), Column("max", "next_visit_at", "Lần đọc tới")),
              view="news-feeds", width=48),
        Panel("arrivals", "Bài nhận mỗi giờ theo nguồn", "bar_stacked",
              (Column("date_histogram", "first_seen_at", "Giờ nhận", interval="1h"), BY_SOURCE, ARTICLES), view="news-arrivals"),
        Panel("lag", "Từ đăng tới nhận, giây", "table",
              (Column("terms", "source.name", "Nguồn", 50), Column("percentile", "lag_seconds", "p50", percentile=50),
               Column("percentile", "lag_seconds", "p95", percentile=95)), view="news-arrivals"),
        Panel("undated", "Bài không rõ ngày đăng", "table",
              (Column("terms", "source.name", "Nguồn", 50), Column("count", label="Không rõ ngày", where=UNDATED), ARTICLES),
              view="news-arrivals"),
        Panel("late", "Bài cũ nhận muộn", "table",
              (Column("terms", "source.name", "Nguồn", 50), Column("count", label="Nhận muộn", where=Where("backlog", ("true",))),
               ARTICLES),
              view="news-arrivals"),
        Panel("refused", "Bị từ chối theo khâu và lý do", "bar_stacked",
              (Column("terms", "stage", "Khâu"), Column("terms", "reason", "Lý do"), Column("count", label="Bản ghi")),
              view="news-dead-letters"),
        Panel("frontwire-undated", "Bài không rõ ngày đăng", "search"),
        Panel("frontwire-refused", "Bản ghi bị từ chối", "search", width=48),
    ),
)  # fmt: skip

ALERTS: Final = Dashboard(
    kibana_links.ALERTS_DASHBOARD, "Cảnh báo",
    "Cảnh báo theo ngày, thời gian tới khi có người nhận, cảnh báo sai, từ khoá ồn nhất.",
    time_from="now-30d", controls=(("news-alerts", "keyword", "Từ khoá"), ("news-alerts", "severity", "Mức độ")), panels=(
        Panel("open", "Đang mở", "metric", (Column("count", label="Đang mở", where=OPEN),), view="news-alerts",
              width=12, height=6),
        Panel("acknowledged", "Giây tới khi có người nhận (trung vị)", "metric",
              (Column("median", "acknowledge_seconds", "Giây"),), view="news-alerts", width=12, height=6),
        Panel("all", "Mọi cảnh báo", "metric", (Column("count", label="Cảnh báo"),), view="news-alerts", width=12, height=6),
        Panel("false", "Bị đánh dấu sai", "metric",
              (Column("count", label="Sai", where=Where("marked_false", ("true",))),), view="news-alerts", width=12, height=6),
        Panel("by-day", "Cảnh báo mỗi ngày theo mức độ", "bar_stacked",
              (Column("date_histogram", "opened_at", "Ngày", interval="1d"), Column("terms", "severity", "Mức độ", 3),
               Column("count", label="Cảnh báo")), view="news-alerts"),
        Panel("noisy", "Từ khoá ồn nhất", "table",
              (Column("terms", "keyword", "Từ khoá", 20), Column("count", label="Cảnh báo"),
               Column("count", label="Sai", where=Where("marked_false", ("true",))), Column("max", "peak.ratio", "Gấp mấy lần")),
              view="news-alerts"),
        Panel("silences", "Im lặng sắp hết", "table",
              (Column("terms", "keyword", "Từ khoá", 20), Column("max", "silenced_until", "Tới lúc")),
              view="news-alerts", where=(Where("state", ("suppressed",)),)),
        Panel("frontwire-alert-list", "Danh sách", "search"),
    ),
)  # fmt: skip

DASHBOARDS: Final = (OVERVIEW, KEYWORD, FEEDS, ALERTS)
