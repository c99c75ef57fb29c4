"""Links as identities: one spelling for all the addresses under which an outlet announces one article.

The result feeds `shared.ids.article_id_for_link`, so every rule here is frozen: a change is a new identity for every article.
That is why only the standard library is used, and why the list of tracking parameters is our own and narrow: general lists
also drop `cid`, `eid`, `uid` or `keyword`, which number the articles of older sites, and would make one article of many.
"""

import re
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

TRACKING_PREFIXES: Final = ("at_", "hsa_", "itm_", "mc_", "mtm_", "ns_", "pk_", "utm_", "vero_", "vn_")
TRACKING_NAMES: Final = frozenset({
    "__twitter_impression",
    "_ga",
    "_gl",
    "_hsenc",
    "_hsmi",
    "_openstat",
    "cmpid",
    "dclid",
    "fb_ref",
    "fb_source",
    "fbclid",
    "gbraid",
    "gclid",
    "gclsrc",
    "gidzl",
    "guccounter",
    "igsh",
    "igshid",
    "mkt_tok",
    "msclkid",
    "ocid",
    "ref_src",
    "ref_url",
    "smid",
    "soc_src",
    "soc_trk",
    "ttclid",
    "twclid",
    "wbraid",
    "xtor",
    "yclid",
    "ysclid",
    "zarsrc",
})  # fmt: skip

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~")
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_CONTROLS: Final = re.compile(r"[\x00-\x20\x7f]+")


def clean_link(link: str) -> str | None:
    """Return the one spelling of an article's link, or None when it is no http(s) link with a host.

    Lower-case host as A-labels, no user, no default port, `https` for both schemes, no dot segments, escapes in capitals and
    only where needed, parameters sorted by name without those that only track, no fragment.
    """
    parts = _split(link)
    if parts is None:
        return None
    scheme = parts.scheme.lower()
    host = _ascii_host(parts.hostname or "")
    try:
        port = parts.port
    except ValueError:
        return None
    if ":" in host:
        host = f"[{host}]"
    netloc = host if port in (None, _DEFAULT_PORTS[scheme]) else f"{host}:{port}"
    path = parts.path or "/"
    if "/." in path:
        path = urlsplit(urljoin("https://host/", path)).path
    path = _clean_path(path)
    return urlunsplit(("https", netloc, path, _clean_query(parts.query), ""))


def host_of(link: str) -> str | None:
    """Return the host of an http(s) link as lower-case A-labels without port, or None: the unit of manners and ownership."""
    parts = _split(link)
    return _ascii_host(parts.hostname or "") if parts else None


def _split(link: str) -> SplitResult | None:
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return None
    return parts if parts.scheme.lower() in _DEFAULT_PORTS and parts.hostname else None


def _ascii_host(host: str) -> str:
    host = host.rstrip(".").lower()
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def _clean_path(path: str) -> str:
    return quote(_CONTROLS.sub("%20", _ESCAPE.sub(_unescape, path)), safe=_PATH_SAFE)


def _unescape(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def _clean_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    kept = sorted((pair for pair in pairs if not _tracks(pair[0])), key=lambda pair: pair[0])
    return urlencode(kept, errors="surrogateescape")


def _tracks(name: str) -> bool:
    name = name.lower()
    return name in TRACKING_NAMES or name.startswith(TRACKING_PREFIXES)
