"""Where requests come from, and which of those places are one customer's."""

from __future__ import annotations

import ipaddress

_IPV6_NETWORK_BITS = 64  # what a provider gives to one customer


def network_of(address: str) -> str:
    """Return what all addresses of one customer have in common; whatever is none is one place."""
    try:
        found = ipaddress.ip_address(address.split("%", maxsplit=1)[0])
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, _IPV6_NETWORK_BITS), strict=False))
    return str(found)
