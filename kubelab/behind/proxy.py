"""A proxy as companies have them: it opens what is encrypted, and shows a certificate of its own authority instead."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
HEAD = 65536


class Authority:
    """Signs a certificate for any name. Nobody trusts it who was not told to: `pem` is what to tell."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelab's example company")])
        may_sign = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        made = self._begun(self.name, self.key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.certificate = made.add_extension(may_sign, critical=True).sign(self.key, hashes.SHA256())
        self.contexts: dict[str, ssl.SSLContext] = {}

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, host: str) -> ssl.SSLContext:
        """Returns what a server of this name needs to be believed by who trusts the authority."""
        if host not in self.contexts:
            self.contexts[host] = self._for(host)
        return self.contexts[host]

    def _for(self, host: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        made = self._begun(subject, key).add_extension(names, critical=False).add_extension(issuer, critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.NamedTemporaryFile() as file:
            Path(file.name).write_bytes(pem)
            context.load_cert_chain(file.name)
        return context

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        begun = x509.CertificateBuilder(self.name, subject, key.public_key(), x509.random_serial_number())
        mine = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        return begun.not_valid_before(now - DAY).not_valid_after(now + DAY).add_extension(mine, critical=False)


class Proxy:
    """Serves connections of one listening socket; `seen` lists which hosts it was asked for.

    `inside` has the addresses (host:port) of servers without encryption, by names that no name server knows.
    """

    def __init__(self, authority: Authority, inside: Mapping[str, str] | None = None) -> None:
        self.authority = authority
        self.inside = inside or {}
        self.seen: list[str] = []

    async def serve(self, listener: socket.socket) -> None:
        """Serves until it is cancelled."""
        async with await asyncio.start_server(self._client, sock=listener, limit=HEAD) as server:
            await server.serve_forever()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that goes away, or does not believe us, ends its connection and nothing else.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            first, *headers = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            method, target, *_ = first.decode().split()
            if method == "CONNECT":
                host, _, port = target.rpartition(":")
                self.seen.append(host)
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
                await writer.drain()
                await writer.start_tls(self.authority.context(host))
                there = await self._connected(host, int(port), ssl.create_default_context())
            else:
                url = urlsplit(target)
                host = url.hostname or ""
                self.seen.append(host)
                there = await self._connected(host, url.port or 80, None)
                path = target.partition(url.netloc)[2] or "/"
                # One request a connection: the next may be for somebody else.
                kept = [line for line in headers if line and not line.lower().startswith(CONNECTION)]
                kept = [f"{method} {path} HTTP/1.1".encode(), *kept, b"Connection: close", b"", b""]
                there[1].write(b"\r\n".join(kept))
            await self._both(_copied(reader, there[1]), _copied(there[0], writer))
        writer.close()

    async def _connected(
        self, host: str, port: int, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if host in self.inside:
            host, _, number = self.inside[host].rpartition(":")
            port, context = int(number), None
        return await asyncio.open_connection(host, port, ssl=context)

    async def _both(self, *ways: Coroutine[Any, Any, None]) -> None:
        """Either side may end first; then both have ended."""
        tasks = [asyncio.create_task(way) for way in ways]
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()


CONNECTION = (b"connection:", b"proxy-connection:")


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(HEAD):
            writer.write(data)
            await writer.drain()
    writer.close()
