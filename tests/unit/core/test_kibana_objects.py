"""The pages of Kibana: built, checked, refused when something is wrong, and imported as its API documents it."""

import base64
import importlib.util
import json
import threading
from collections.abc import Callable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result

from services.commands import kibana_pages
from services.commands.common import project_folder
from services.commands.kibana import FILE, kibana
from services.commands.kibana_check import problems
from services.commands.kibana_objects import SavedObject, kql, ndjson, saved_objects
from services.commands.kibana_pages import Where
from services.indexer import templates
from shared import kibana_links

PROJECT = project_folder()
FOLDER = PROJECT / "deploy/elasticsearch"
SHIPPED = templates.load(FOLDER)
STRICT_CHECKER = PROJECT.parent / "shared/tools/check_kibana.py"


def strict_problems(objects: list[SavedObject], folder: Path) -> int:
    """Return the exit status of the strict checker of the shared tools."""
    spec = importlib.util.spec_from_file_location("check_kibana", STRICT_CHECKER)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = folder / "objects.ndjson"
    path.write_text(ndjson(objects), encoding="utf-8")
    mappings = [f"--mapping={alias}-*={FOLDER / alias}.json" for alias in SHIPPED.indices]
    status: int = module.main(["--require-versions", "--strict-vega", "--kibana", "8.17.0", *mappings, str(path)])
    return status


needs_checker = pytest.mark.skipif(not STRICT_CHECKER.exists(), reason="the shared tools are not beside this checkout")


def test_the_file_is_what_the_description_says_and_has_no_problem() -> None:
    assert (PROJECT / FILE).read_text(encoding="utf-8") == ndjson(saved_objects())
    assert problems(saved_objects(), SHIPPED) == []


@needs_checker
def test_the_strict_checker_finds_nothing(tmp_path: Path) -> None:
    assert strict_problems(saved_objects(), tmp_path) == 0


def first(objects: list[SavedObject], kind: str) -> dict[str, Any]:
    attributes: dict[str, Any] = next(item for item in objects if item["type"] == kind)["attributes"]
    return attributes


def columns(objects: list[SavedObject], number: int = 0) -> dict[str, Any]:
    lens = [item for item in objects if item["type"] == "lens"][number]
    found: dict[str, Any] = lens["attributes"]["state"]["datasourceStates"]["formBased"]["layers"]["l1"]["columns"]
    return found


def lens_with(objects: list[SavedObject], operation: str) -> dict[str, Any]:
    return next(
        column
        for number in range(sum(item["type"] == "lens" for item in objects))
        for column in columns(objects, number).values()
        if column["operationType"] == operation
    )


def in_panels(objects: list[SavedObject], change: Callable[[list[dict[str, Any]]], object]) -> None:
    attributes = first(objects, "dashboard")
    panels = json.loads(attributes["panelsJSON"])
    change(panels)
    attributes["panelsJSON"] = json.dumps(panels)


def in_text(holder: dict[str, Any], name: str, old: str, new: str) -> None:
    assert old in holder[name]
    holder[name] = holder[name].replace(old, new)


MUTATIONS: dict[str, Callable[[list[SavedObject]], object]] = {
    "a field that does not exist": lambda o: lens_with(o, "terms").update(sourceField="langage"),
    "text in a terms column": lambda o: lens_with(o, "terms").update(sourceField="body"),
    "a word where a number is needed": lambda o: lens_with(o, "sum").update(sourceField="language"),
    "a word where a date is needed": lambda o: lens_with(o, "date_histogram").update(sourceField="language"),
    "an order by no column": lambda o: lens_with(o, "terms")["params"]["orderBy"].update(columnId="c9"),
    "a column that is not shown": lambda o: columns(o).update(c9=columns(o)["c0"]),
    "a time field that is no date": lambda o: first(o, "index-pattern").update(timeFieldName="language"),
    "a data view of nothing": lambda o: first(o, "index-pattern").update(title="new-articles-*"),
    "a newer version": lambda o: next(i for i in o if i["type"] == "lens").update(typeMigrationVersion="10.1.0"),
    "a reference to nothing": lambda o: o.pop(next(n for n, i in enumerate(o) if i["type"] == "lens")),
    "a map of words": lambda o: in_text(first(o, "map"), "layerListJSON", "locations", "language"),
    "a filter of a field that does not exist": lambda o: in_text(
        next(i for i in o if i["id"] == kibana_links.STORIES_SEARCH)["attributes"]["kibanaSavedObjectMeta"],
        "searchSourceJSON", "is_copy", "is_copi",
    ),
    "a column of a search that does not exist": lambda o: first(o, "search")["columns"].append("titel"),
    "a panel outside the grid": lambda o: in_panels(o, lambda panels: panels[0]["gridData"].update(x=40)),
    "a panel over another": lambda o: in_panels(o, lambda panels: panels[1]["gridData"].update(x=0)),
    "a panel that stands for nothing": lambda o: in_panels(o, lambda panels: panels[0].update(panelRefName="panel_no")),
    "the same object twice": lambda o: o.append(o[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_what_is_broken_is_refused(name: str, tmp_path: Path) -> None:
    objects = json.loads(json.dumps(saved_objects()))
    MUTATIONS[name](objects)
    assert problems(objects, SHIPPED)
    if STRICT_CHECKER.exists() and name != "a column of a search that does not exist":
        assert strict_problems(objects, tmp_path) == 1


def test_the_ids_of_the_links_are_those_of_the_pages() -> None:
    keys = {(item["type"], item["id"]) for item in saved_objects()}
    for name in ("ALERTS_DASHBOARD", "FEEDS_DASHBOARD", "KEYWORD_DASHBOARD", "OVERVIEW_DASHBOARD"):
        assert ("dashboard", getattr(kibana_links, name)) in keys
    for name in ("ARTICLES_SEARCH", "STORIES_SEARCH"):
        assert ("search", getattr(kibana_links, name)) in keys


def test_every_panel_of_news_counts_distinct_stories() -> None:
    """A panel on articles shows stories, or says that it counts articles, copies, marks or a delay."""
    exceptions = {"articles", "copies", "undated", "unanchored", "arrivals", "lag", "late", "sources-count"}
    for dashboard in kibana_pages.DASHBOARDS:
        for panel in dashboard.panels:
            if panel.columns and panel.view in ("news-articles", "news-arrivals", "news-events"):
                assert kibana_pages.STORIES in panel.columns or panel.id in exceptions, panel.id


def test_conditions_as_kql() -> None:
    made = kql((Where("state", ("open", "acknowledged")), Where("is_copy", ("true",), not_=True)))
    assert made == 'state: ("open" or "acknowledged") and not is_copy: "true"'


class KibanaServer(BaseHTTPRequestHandler):
    """Answers the import API: https://www.elastic.co/docs/api/doc/kibana/v8/operation/operation-importsavedobjectsdefault."""

    asked: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []
    answer: ClassVar[tuple[int, dict[str, Any]]] = (200, {})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, content))
        text = json.dumps(self.answer[1]).encode()
        self.send_response(self.answer[0])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the test reads `asked`."""


@pytest.fixture
def server() -> Iterator[str]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), KibanaServer)
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    KibanaServer.asked.clear()
    yield f"http://127.0.0.1:{made.server_port}"
    made.shutdown()
    made.server_close()


def imported(url: str, **more: str) -> Result:
    return CliRunner().invoke(kibana, ["import"], env={"FRONTWIRE_KIBANA_URL": url, **more})


def test_the_import_is_what_the_api_of_kibana_takes(server: str) -> None:
    KibanaServer.answer = (200, {"success": True, "successCount": 52})
    done = imported(
        server, FRONTWIRE_KIBANA_SPACE="ban tin", FRONTWIRE_KIBANA_USERNAME="elastic", FRONTWIRE_KIBANA_PASSWORD="ô-kìa"
    )
    assert done.exit_code == 0, done.output
    assert "imported 52 objects" in done.output
    ((path, headers, content),) = KibanaServer.asked
    assert path == "/s/ban%20tin/api/saved_objects/_import?overwrite=true"
    assert headers["kbn-xsrf"]
    assert base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode() == "elastic:ô-kìa"
    message = BytesParser().parsebytes(f"Content-Type: {headers['content-type']}\r\n\r\n".encode() + content)
    (part,) = [inner for inner in message.walk() if not inner.is_multipart()]
    assert part.get_param("name", header="content-disposition") == "file"
    assert str(part.get_filename()).endswith(".ndjson")
    assert part.get_payload(decode=True) == (PROJECT / FILE).read_bytes()


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"success": False, "errors": [{"type": "lens", "id": "x", "error": {"type": "missing_references"}}]}),
        (401, {"message": "no"}),
    ],
)
def test_a_refusal_of_kibana_is_one_clear_message(server: str, answer: tuple[int, dict[str, Any]]) -> None:
    KibanaServer.answer = answer
    assert imported(server).exit_code == 1


def test_a_kibana_that_is_away_is_one_clear_message(server: str) -> None:
    assert imported("http://127.0.0.1:9").exit_code == 1
