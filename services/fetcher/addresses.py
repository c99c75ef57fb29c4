"""Which network addresses may be connected to: the pure half of the guard against requests into our own network."""

import ipaddress
from typing import Final
from urllib.parse import SplitResult, urlsplit

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# What `is_global` lets through although it leads inside, or to everyone: NAT64, 6to4, Teredo, site-local, multicast.
BLOCKED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "2001::/32",
        "2002::/16",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "fec0::/10",
        "ff00::/8",
    )
)


def is_public(address: str) -> bool:
    """Return whether an IP address is a public unicast one; what is no address is not."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    ip = mapped or ip
    return ip.is_global and not any(ip.version == network.version and ip in network for network in BLOCKED)


def host_and_port(url: str) -> str:
    """Return an http(s) link's host:port in lower case, the default port filled in."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"[{host}]:{_port(parts)}" if ":" in host else f"{host}:{_port(parts)}"


def _port(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS.get(parts.scheme.lower(), 0)
