"""Somebody between engine and registry, who does to what comes back what a bad line or a bad registry would do."""

import contextlib
import socket
import threading
import time

import pytest

MOST = 1_000_000
"""So many bytes come: the manifest does, and of a layer the beginning."""


class Between:
    """Listens on loopback and hands everything on to a registry, until something goes wrong."""

    def __init__(self, registry, wrong):
        host, _, port = registry.partition(":")
        self.registry, self.wrong, self.left = (host, int(port)), wrong, MOST
        self.server = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        with contextlib.suppress(OSError):
            while True:
                asking, _ = self.server.accept()
                threading.Thread(target=self._serve, args=[asking], daemon=True).start()

    def _serve(self, asking):
        if self.wrong == "says nothing":
            time.sleep(60)
        with contextlib.suppress(OSError), asking, socket.create_connection(self.registry) as answering:
            threading.Thread(target=self._copy, args=[asking, answering], daemon=True).start()
            self._copy(answering, asking, self._harm)
            asking.shutdown(socket.SHUT_RDWR)  # closing alone says nothing while the other thread listens

    def _copy(self, source, target, change=lambda data: data):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(change(data))
            target.shutdown(socket.SHUT_WR)

    def _harm(self, data):
        if self.wrong == "lies":
            return data.replace(b'"size":', b'"sizE":')
        self.left -= len(data)
        if self.left < 0 and self.wrong == "falls silent":
            time.sleep(60)
        if self.left < 0 and self.wrong == "dies":
            self.server.close()
            raise ConnectionResetError
        return data


@pytest.fixture
def between():
    """`between(registry, "dies")` returns the name of a registry that does."""
    made = []

    def start(registry, wrong):
        made.append(Between(registry, wrong))
        return made[-1].name

    yield start
    for one in made:
        one.server.close()
