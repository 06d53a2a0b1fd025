"""Are the ports of Kubernetes open between machines?

`listen TOKEN tcp/6443...` answers on ports and ends by itself; `ask TOKEN tcp/6443/10.0.0.2...` prints the silent ones.
An answer counts only with the token: somebody between the machines may answer for any address.
"""

import os
import selectors
import signal
import socket
import sys
import time
from pathlib import Path

SECONDS = 30
NAME = "kubelab-reach"


def end_earlier():
    """Somebody who tries again at once finds the ports taken by the one before."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == NAME:
                os.kill(int(comm.parent.name), signal.SIGKILL)
                end = time.monotonic() + 1  # one that nobody asks for stays listed, but holds no port
                while comm.exists() and time.monotonic() < end:
                    time.sleep(0.01)
        except OSError:
            continue  # it has ended by itself


def listen(token, ports):
    end_earlier()
    Path("/proc/self/comm").write_text(NAME)
    selector = selectors.DefaultSelector()
    for port in ports:
        kind, number = port.split("/")
        server = socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", int(number)))
        if kind == "tcp":
            server.listen(16)
        selector.register(server, selectors.EVENT_READ, kind)
    if os.fork():
        return
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for key, _ in selector.select(1):
            if key.data == "tcp":
                connection, _ = key.fileobj.accept()
                connection.sendall(token.encode())
                connection.close()
            else:
                _, peer = key.fileobj.recvfrom(64)
                key.fileobj.sendto(token.encode(), peer)


def answers(token, target):
    kind, number, address = target.split("/")
    with socket.socket(type=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        try:
            client.connect((address, int(number)))
            if kind == "udp":
                client.send(b"?")
            return client.recv(64) == token.encode()
        except OSError:
            return False


if __name__ == "__main__":
    what, word, *rest = sys.argv[1:]
    if what == "listen":
        listen(word, rest)
    else:
        silent = [target for target in rest if not any(answers(word, target) for _ in range(2))]
        print(" ".join(silent))
