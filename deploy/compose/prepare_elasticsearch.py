"""Prepares the Elasticsearch of docker-compose.yml: Kibana's own password, and a file with the indexer's API key.

Safe to run at every start: a key that the cluster still takes is kept. The passwords come from the environment
(ELASTIC_PASSWORD, KIBANA_SYSTEM_PASSWORD), the key leaves the process only through the file.
"""

import base64
import sys
from pathlib import Path
from typing import Any, Final

import click
from elasticsearch import ApiError, AuthenticationException, Elasticsearch, TransportError
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

KEY_NAME: Final = "frontwire-indexer"
# What the indexer and `frontwire index` do and no more: templates, ILM, documents, mappings and aliases of their own indices.
INDEXER_ROLE: Final[dict[str, Any]] = {
    "cluster": ["manage_ilm", "manage_index_templates", "monitor"],
    "indices": [
        {
            "names": ["news-*", "rebuilt-news-*"],
            "privileges": ["auto_configure", "delete", "index", "manage", "read"],
        }
    ],
}


class Passwords(BaseSettings):
    """The passwords of the two built-in users that the stack needs."""

    elastic_password: SecretStr
    kibana_system_password: SecretStr


@click.command()
@click.option("--url", required=True, help="Address of Elasticsearch.")
@click.option("--key-file", required=True, type=click.Path(path_type=Path), help="Where the indexer reads its API key.")
@click.option("--renew", is_flag=True, help="Make a new key and invalidate the old one; then restart the indexer.")
def main(url: str, key_file: Path, renew: bool) -> None:
    """Set Kibana's password and write the indexer's API key."""
    try:
        passwords = Passwords()
    except ValidationError as error:
        sys.exit(f"not set: {', '.join(str(item['loc'][0]).upper() for item in error.errors(include_input=False))}")
    try:
        with Elasticsearch(url, basic_auth=("elastic", passwords.elastic_password.get_secret_value())) as client:
            client.security.change_password(
                username="kibana_system", password=passwords.kibana_system_password.get_secret_value()
            )
            click.echo("Kibana's password is set")
            click.echo(prepare_key(client, url, key_file, renew=renew))
    except (ApiError, TransportError, OSError) as error:
        sys.exit(f"Elasticsearch at {url} is not prepared: {error}")


def prepare_key(client: Elasticsearch, url: str, path: Path, *, renew: bool) -> str:
    """Make sure that the file holds a key which the cluster takes; return what was done."""
    old = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    good = bool(old) and accepts(url, old)
    if good and not renew:
        return "the indexer's key is good"
    made = client.security.create_api_key(name=KEY_NAME, role_descriptors={KEY_NAME: INDEXER_ROLE})
    write_secret(path, made["encoded"])
    if good:
        client.security.invalidate_api_key(ids=[base64.b64decode(old).decode().partition(":")[0]])
    return f"a new key is in {path}"


def accepts(url: str, key: str) -> bool:
    """Return whether the cluster takes an API key."""
    try:
        with Elasticsearch(url, api_key=key) as client:
            client.security.authenticate()
    except AuthenticationException:
        return False
    return True


def write_secret(path: Path, value: str) -> None:
    """Write a file that only its owner reads; a reader sees the old content or the new, never a part."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_text(value, encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    main()
