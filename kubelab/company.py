"""Behind a company's proxy and authority: what programs must be told to get out there, and not to leave the cluster.

Both are said in the environment, which the launcher can read before there is anything else. What follows from them goes
into the environment too, so every program that is started later has it. docs/company.md says who takes what from it.
The launcher runs this under the system's Python, so it uses the standard library; `addresses` alone needs more.
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address, summarize_address_range
from pathlib import Path
from typing import Any

from kubelab.paths import INVENTORY, cache_dir, common

AUTHORITY = "KUBELAB_CA"
"""Names a file with the certificates of the company's authority, as PEM. The one setting that is ours."""
PROXIES = ("HTTPS_PROXY", "HTTP_PROXY")
HERE = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")
"""What is never somewhere else: this machine, and the names of Services."""
STORES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep all authorities in one file."""


class Unusable(Exception):
    """A setting that cannot be followed. The text says what was found, what is needed and what to change."""


def enter(beside: Callable[[], Iterable[str]] = tuple) -> None:
    """Makes the environment of this process, and so of all that it starts, one that knows the company's settings.

    Ends the process, with the exit code of a refusal, where they cannot be followed.
    """
    try:
        os.environ.update(environment(os.environ, beside))
    except Unusable as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)


def environment(given: Mapping[str, str], beside: Callable[[], Iterable[str]] = tuple) -> dict[str, str]:
    """Returns what to add to an environment; nothing where it has neither setting. Doing it again changes nothing.

    `beside` is asked, where there is a proxy, for machines, ranges and spans of addresses that are reached without it.
    Raises Unusable.
    """
    return {**_proxy(given, beside), **_authority(given)}


def beside_proxy(cluster: str) -> dict[str, str]:
    """Returns what keeps kubectl and curl away from the proxy when they talk to a cluster; {} without one."""
    found = _proxy(os.environ, partial(addresses, cluster))
    return {name: found[name] for name in ("NO_PROXY", "no_proxy") if name in found}


def no_proxy(own: str, beside: Iterable[str]) -> str:
    """Returns what is reached without a proxy: the user's own list, this machine and the cluster.

    Ranges stay as they are: Go, curl and pip understand them. A span (MetalLB's a.b.c.d-a.b.c.e) becomes ranges.
    """
    words = [*own.replace(" ", ",").split(","), *HERE, *(word for one in beside for word in _ranges(one))]
    return ",".join(dict.fromkeys(filter(None, words)))


def _ranges(word: str) -> Iterator[str]:
    first, _, last = word.partition("-")
    try:
        span = summarize_address_range(IPv4Address(first.strip()), IPv4Address(last.strip()))
    except ValueError:
        yield word
        return
    yield from map(str, span)


def _proxy(given: Mapping[str, str], beside: Callable[[], Iterable[str]]) -> dict[str, str]:
    """One of the two stands for the other; programs differ in which case they read, so both are set."""
    named = {name: given.get(name) or given.get(name.lower()) or "" for name in PROXIES}
    one = next(filter(None, named.values()), "")
    if not one:
        return {}
    found = {name: _url(url or one) for name, url in named.items()}
    own = ",".join((given.get("NO_PROXY", ""), given.get("no_proxy", "")))
    found["NO_PROXY"] = no_proxy(own, beside())
    return found | {name.lower(): value for name, value in found.items()}


def _url(address: str) -> str:
    """Go, curl and pip do without the first word; apt does not."""
    return address if "://" in address else f"http://{address}"


def _authority(given: Mapping[str, str]) -> dict[str, str]:
    """The authority comes beside those of the system, for not everything passes the company's proxy."""
    if not given.get(AUTHORITY):
        return {}
    path = Path(given[AUTHORITY]).expanduser().absolute()
    text = _certificates(path)
    folder = cache_dir() / "company"
    store = next((path for path in map(Path, (given.get("SSL_CERT_FILE") or "", *STORES)) if path.is_file()), None)
    known = store.read_text(errors="replace") if store else ""
    bundle = store if store and text in known else _kept(folder, "pem", f"{known.rstrip()}\n{text}")
    # apt asks as an account of its own, which may not look into this one's folders. What it gets is signed anyway.
    apt = _kept(folder, "apt", f'Acquire::https::CAInfo "{bundle}";\nAPT::Sandbox::User "root";\n')
    names = ("SSL_CERT_FILE", "PIP_CERT", "GIT_SSL_CAINFO")
    return {AUTHORITY: str(path), "APT_CONFIG": str(apt), **dict.fromkeys(names, str(bundle))}


def _certificates(path: Path) -> str:
    """Returns the text of the file, if OpenSSL finds an authority in it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise _refusal(path, "which holds no certificates as PEM") from None
    except OSError as error:
        raise _refusal(path, f"which cannot be read: {error.strerror}") from None
    if not context.cert_store_stats()["x509_ca"]:
        raise _refusal(path, "whose certificates are no authority's")
    return path.read_text(errors="replace").strip() + "\n"


def _refusal(path: Path, why: str) -> Unusable:
    return Unusable(
        f"found:  {AUTHORITY}={path}, {why}\n"
        f"needed: a file with the certificates of the company's authority, as PEM (-----BEGIN CERTIFICATE-----)\n"
        f"change: export {AUTHORITY}=/path/to/authority.pem, or unset it where the system trusts the authority already"
    )


def _kept(folder: Path, kind: str, text: str) -> Path:
    """Writes a file named after what it holds, as a whole."""
    path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.{kind}"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        partial.write_text(text)
        partial.rename(path)
    return path


def addresses(cluster: str = "", folder: Path = INVENTORY) -> list[str]:
    """Returns names, ranges and addresses of a cluster, as its file and network.yml say; for none, the usual ranges."""
    import yaml

    ranges = common("network")
    path = folder / f"{cluster}.yml"
    shape = (yaml.safe_load(path.read_text()) if path.is_file() else {}).get("all", {})
    given = shape.get("vars", {})
    found = [str(given.get(name, usual)) for name, usual in ranges.items()]
    found += [str(given[key]) for key in ("cluster_lb_pool", "cluster_api_address") if key in given]
    return found + list(_machines(cluster, shape))


def _machines(cluster: str, shape: Mapping[str, Any]) -> Iterator[str]:
    for group in shape.get("children", {}).values():
        for name, own in (group.get("hosts") or {}).items():
            yield name
            yield from (str(own[key]) for key in ("node_address", "ansible_host") if key in (own or {}))
    given = shape.get("vars", {})
    if "cluster_workers" in given:
        from plugins.filter.machines import kind_nodes

        yield from kind_nodes(f"kubelab-{cluster}", given["cluster_control_planes"], given["cluster_workers"])
