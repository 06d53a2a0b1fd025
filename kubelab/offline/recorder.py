"""Answers in the place of everybody elsewhere, with no, and writes down who asked for what."""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

from kubelab.offline.asker import asker

NAMES_PORT, TCP_PORT, UDP_PORT = 53, 15001, 15002
ORIGINAL_DESTINATION = 80  # linux/netfilter_ipv4.h, and the same number for IPv6
ASKED = (socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO)
TYPES = {1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 16: "TXT", 28: "AAAA", 33: "SRV", 65: "HTTPS"}

USUAL = {
    r"[\d.]+ HINFO": "CoreDNS asks for a name that it made up, to see whether it would be asked itself",
    r" NS": "CoreDNS asks for the root, to see whether the next name server lives",
    r"host\.docker\.internal A": "a node that starts asks for the machine below it, by Docker Desktop's name",
    r"[\w-]+ (A|AAAA)": "a short name that the cluster did not know: lessons ask for such",
    r"[\w.-]+\.svc\.cluster\.local (A|AAAA)": "the name of a Service, which machines ask for in vain: lessons show it",
    r"gcr\.io (A|AAAA)": "kubelet wants the image hello-app:2.O, of lesson pod-trouble, which nobody has",
}
"""What a cluster asks the next name server for, and why that is nobody's attempt to get something."""
CLUSTER = r"(\S*dockerd|a program that has ended, at 172\..*|.* on \S+)"
"""Who asks for the cluster's machines: Docker's name server hands on what it does not know, each time anew."""
REGISTRY = "registry.company.example"
"""The registry behind a company's proxy."""
OF_DOCKER = rf"looks up {re.escape(REGISTRY)} (A|AAAA): (docker p\S+ .*|\S*dockerd)"


@dataclass(frozen=True)
class Attempt:
    """One program that looked up a name, or sent something to an address, that is not here."""

    what: str
    who: str

    @property
    def text(self) -> str:
        return f"{self.what}: {self.who}"

    @property
    def why_usual(self) -> str:
        if re.fullmatch(OF_DOCKER, self.text):
            return "Docker asks whether a registry is this machine's own, and hands on what a control on a node asks"
        usual = (why for name, why in USUAL.items() if re.fullmatch(f"looks up {name}: {CLUSTER}", self.text))
        return next(usual, "")


def question(packet: bytes) -> str:
    """Returns name and type that a request to a name server asks for: `example.org A`."""
    labels, at = [], 12
    while length := packet[at]:
        labels.append(packet[at + 1 : at + 1 + length].decode(errors="replace"))
        at += 1 + length
    (kind,) = struct.unpack_from("!H", packet, at + 1)
    return f"{'.'.join(labels)} {TYPES.get(kind, f'type {kind}')}"


def refusal(packet: bytes) -> bytes:
    """Returns the answer that there is no such name."""
    end = packet.index(b"\0", 12) + 5
    return packet[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + packet[12:end]


class Recorder:
    """Three sockets to which the rules of place.py lead all that would leave."""

    def __init__(self, tell: Callable[[Attempt], None]) -> None:
        self.tell = tell
        self.attempts: list[Attempt] = []
        for serve in (self._names, self._streams, self._packets):
            ready = threading.Event()
            threading.Thread(target=serve, args=(ready,), daemon=True).start()
            if not ready.wait(10):
                raise RuntimeError(f"the recorder's {serve.__name__} did not begin")

    def _note(self, what: str, sender: tuple[str, int]) -> None:
        address = sender[0].removeprefix("::ffff:")
        attempt = Attempt(what, asker(sender[1]) or f"a program that has ended, at {address}")
        self.attempts.append(attempt)
        self.tell(attempt)

    def _names(self, ready: threading.Event) -> None:
        with _bound(socket.SOCK_DGRAM, NAMES_PORT) as server:
            server.setsockopt(*ASKED, 1)
            ready.set()
            while True:
                packet, more, _, sender = server.recvmsg(4096, 256)
                # An answer is taken only from the address that was asked; of the link there is nothing to say.
                asked = [(level, kind, data[:16] + bytes(4)) for level, kind, data in more]
                try:
                    self._note(f"looks up {question(packet)}", sender)
                    server.sendmsg([refusal(packet)], asked, 0, sender)
                except (ValueError, IndexError, struct.error):
                    self._note("asks a name server what cannot be read", sender)

    def _streams(self, ready: threading.Event) -> None:
        with _bound(socket.SOCK_STREAM, TCP_PORT) as server:
            server.listen(128)
            ready.set()
            while True:
                stream, sender = server.accept()
                with stream:
                    self._note(f"connects to {destination(stream)}", sender)

    def _packets(self, ready: threading.Event) -> None:
        with _bound(socket.SOCK_DGRAM, UDP_PORT) as server:
            ready.set()
            while True:
                _, sender = server.recvfrom(65535)
                self._note("sends UDP elsewhere", sender)


def destination(stream: socket.socket) -> str:
    """Returns where a redirected connection was to go."""
    for level, size in ((socket.SOL_IP, 16), (socket.IPPROTO_IPV6, 28)):
        try:
            found = stream.getsockopt(level, ORIGINAL_DESTINATION, size)
        except OSError:
            continue
        (port,) = struct.unpack_from("!H", found, 2)
        if size == 16:
            return f"{socket.inet_ntop(socket.AF_INET, found[4:8])}:{port}"
        return f"[{socket.inet_ntop(socket.AF_INET6, found[8:24])}]:{port}"
    return "an address that is not known"


def _bound(kind: socket.SocketKind, port: int) -> socket.socket:
    server = socket.socket(socket.AF_INET6, kind)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("::", port))
    return server
