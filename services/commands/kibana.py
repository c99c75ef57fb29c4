"""`frontwire kibana`: dashboards, saved searches and data views, built from their description, checked and imported."""

import json
import uuid
from base64 import b64encode
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import click
from pydantic import SecretStr

from services.commands.common import fail, project_folder
from services.commands.kibana_check import problems
from services.commands.kibana_objects import ndjson, saved_objects
from services.indexer import templates
from shared.kibana_links import Kibana
from shared.settings import load_settings

FILE: Final = Path("deploy/kibana/frontwire.ndjson")
_TIMEOUT_SECONDS: Final = 60


@click.group()
def kibana() -> None:
    """Build, check and import what the operator sees in Kibana: data views, saved searches, four dashboards."""


@kibana.command()
def build() -> None:
    """Write deploy/kibana/frontwire.ndjson from services/commands/kibana_pages.py."""
    path = project_folder() / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ndjson(saved_objects()), encoding="utf-8")
    click.echo(f"written: {FILE}, {len(saved_objects())} objects")


@kibana.command()
def check() -> None:
    """Hold the file against its description and the index templates: fields, types, references, grid."""
    path = project_folder() / FILE
    objects = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = problems(objects, templates.load(load_settings().elasticsearch_templates))
    if objects != saved_objects():
        found.append(f"{FILE} is not what the description says: run `frontwire kibana build`")
    if found:
        fail("\n".join(found))
    click.echo(f"{len(objects)} objects, no problem")


@kibana.command("import")
def import_objects() -> None:
    """Import the file into the Kibana of FRONTWIRE_KIBANA_URL; what is there already is replaced.

    FRONTWIRE_KIBANA_USERNAME and FRONTWIRE_KIBANA_PASSWORD name a user who may write saved objects, where Kibana asks for one.
    """
    settings = load_settings()
    base = Kibana(settings.kibana_url, settings.kibana_space).base
    content = (project_folder() / FILE).read_bytes()
    answer = post_objects(base, content, settings.kibana_username, settings.kibana_password)
    if not answer.get("success"):
        lines = [f"{error['type']} {error['id']}: {error['error']['type']}" for error in answer.get("errors", [])]
        fail("\n".join(["Kibana refuses a part:", *lines]))
    click.echo(f"imported {answer['successCount']} objects into {base}")


def post_objects(base: str, content: bytes, user: str | None, password: SecretStr | None) -> dict[str, Any]:
    """Send saved objects to Kibana's import API and return its answer; a refusal is one clear line."""
    boundary = uuid.uuid4().hex
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{FILE.name}"\r\n'
    body = f"{head}Content-Type: application/ndjson\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()
    headers = {"kbn-xsrf": "frontwire", "Content-Type": f"multipart/form-data; boundary={boundary}"}
    if user and password:
        named = b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
        headers["Authorization"] = f"Basic {named}"
    request = Request(f"{base}/api/saved_objects/_import?overwrite=true", body, headers, method="POST")  # noqa: S310
    try:
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
            return answer
    except HTTPError as refusal:
        fail(f"Kibana at {base} answered {refusal.code}: {refusal.read(500).decode('utf-8', 'replace')}")
    except (URLError, TimeoutError) as error:
        fail(f"Kibana at {base} cannot be reached: {error}")
