"""Asks a registry for an image, and has the engine pull it: neither waits long for one that is silent.

The role artifacts types this: python -m kubelab.registry ask IMAGE, or: pull IMAGE SECONDS
"""

from __future__ import annotations

import os
import pty
import re
import ssl
import subprocess
import sys
import time
from http.client import HTTPException
from queue import Empty, Queue
from select import select
from threading import Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

ANSWER = 2.0
"""So many seconds a registry has to say whether it has an image."""
SCHEMES = ("https", "http")
"""Without a certificate the engine takes it from this machine only, or where its own settings say so."""
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
WANTS_LOGIN = (401, 403)


def why_not(image: str, seconds: float = ANSWER) -> str:
    """Returns '' when the registry has HOST/PATH@DIGEST, else why it is not to be had there."""
    host, _, rest = image.partition("/")
    path, _, digest = rest.partition("@")
    answers: Queue[tuple[str, bool, str]] = Queue()
    for scheme in SCHEMES:
        url = f"{scheme}://{host}/v2/{path}/manifests/{digest}"
        Thread(target=lambda url=url: answers.put((url, *_ask(url, seconds))), daemon=True).start()
    until = time.monotonic() + seconds
    heard = {}
    for _ in SCHEMES:
        try:
            url, in_http, wrong = answers.get(timeout=max(0.0, until - time.monotonic()))
        except Empty:
            break
        if not wrong:
            return ""
        heard[in_http, url.startswith("https")] = wrong
    # A status says more than a connection that failed; asked in the wrong scheme, a server may answer something too.
    return heard[max(heard)] if heard else f"{host} does not answer within {seconds:g} s"


def _ask(url: str, seconds: float) -> tuple[bool, str]:
    """Returns whether a server answered in HTTP, and what is wrong. What it sends later is proved by its digest."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    host = url.split("/")[2]
    request = Request(url, method="HEAD", headers={"Accept": ", ".join(MANIFESTS)})
    try:
        with urlopen(request, timeout=seconds, context=anybody):
            return True, ""
    except HTTPError as error:
        # The engine knows who has logged in.
        return True, "" if error.code in WANTS_LOGIN else f"{host} answers {error.code} {error.reason}"
    except TimeoutError:
        return False, f"{host} does not answer within {seconds:g} s"
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return False, f"{host} does not answer: {getattr(reason, 'strerror', None) or reason}"


def pull(image: str, silence: float) -> str:
    """Returns '' when the engine has pulled the image, else why not: then it has kept nothing.

    At a terminal `docker pull` shows all progress, so no word for so many seconds means that nothing comes any more.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(["docker", "pull", image], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        while select([ours], [], [], silence)[0]:
            try:
                said = (said + os.read(ours, 65536))[-4096:]
            except OSError:  # its end has closed the terminal
                break
        else:
            process.kill()
            return f"for {silence:g} s nothing came"
    os.close(ours)
    return _last_line(said.decode(errors="replace")) if process.returncode else ""


def _last_line(printed: str) -> str:
    """Without what moves a terminal's cursor."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", printed))]
    return next((line for line in reversed(lines) if line), "docker pull failed")


def main(words: list[str]) -> int:
    """To be asked is no failure; a pull that brought nothing is."""
    if words[0] == "ask":
        print(why_not(words[1]), flush=True)
        os._exit(0)  # a thread may still wait for a name
    wrong = pull(words[1], float(words[2]))
    print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
