"""What the checks of the lab rbac have in common: an office that issues certificates, and tries them."""

import base64
import json
import secrets
import shlex
import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml

from kubelab.kubectl import environment
from kubelab.paths import kubeconfig

LABEL = {"kubelab.dev/lab": "rbac"}
SIGN = """
set -e; umask 077; folder=$(mktemp -d); trap 'rm -r "$folder"' EXIT; cd "$folder"
: > index; echo {request} | base64 -d > csr
printf '%s\n' '[ca]' 'default_ca = it' '[it]' 'database = index' 'new_certs_dir = .' 'default_md = sha256' \
  'rand_serial = yes' 'policy = any' 'x509_extensions = client' \
  '[any]' 'organizationName = optional' 'commonName = supplied' '[client]' 'extendedKeyUsage = clientAuth' > settings
openssl ca -batch -notext -config settings -cert /etc/kubernetes/pki/ca.crt \
  -keyfile /etc/kubernetes/pki/ca.key -startdate {begin} -enddate {end} -in csr -out certificate
cat certificate
"""
"""What an administrator can do who is on the control plane: sign with the CA's key, which never leaves that node."""


def openssl(folder, command):
    """What openssl prints, in a folder."""
    done = subprocess.run(["openssl", *shlex.split(command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"openssl {command}: {done.stderr}"
    return done.stdout


class Office:
    """Where people come with a private key and leave with a kubeconfig."""

    def __init__(self, cluster, kubectl, eventually, folder):
        self.cluster, self.kubectl, self.eventually, self.folder = cluster, kubectl, eventually, folder
        self.asked = []

    def apply(self, name, *groups, more=""):
        """Makes a private key and a request for a certificate; returns the request. `more` are words for openssl."""
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
        key = f"-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout {name}.key"
        return openssl(self.folder, f"req -new {key} -subj {subject} {more}")

    def submit(self, request, seconds=3600):
        """Gives a request to the API server; returns the name of the object, or what the server says against it."""
        name = f"lab-rbac-{secrets.token_hex(4)}"
        spec = {"signerName": "kubernetes.io/kube-apiserver-client", "expirationSeconds": seconds}
        spec |= {"usages": ["client auth"], "request": base64.b64encode(request.encode()).decode()}
        kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps({**kind, "metadata": {"name": name, "labels": LABEL}, "spec": spec}))
        done = self.kubectl.run(f"create --filename {path}")
        if done.returncode:
            return done.stderr
        self.asked.append(name)
        return name

    def certificate(self, name):
        """What the signer has written into a request, '' as long as there is nothing."""
        return base64.b64decode(self.kubectl(f"get csr {name} -o jsonpath={{.status.certificate}}")).decode()

    def approve(self, name):
        self.kubectl(f"certificate approve {name}")
        signed = self.eventually(lambda: self.certificate(name), seconds=20)
        assert signed, f"{name} was approved, and nobody signs it"
        return signed

    def sign_on(self, node, request, hours):
        """Signs with the CA's key, where it lies; the certificate begins three hours ago and ends in `hours`."""
        begin, end = (f"{datetime.now(UTC) + timedelta(hours=one):%y%m%d%H%M%SZ}" for one in (-3, hours))
        words = base64.b64encode(request.encode()).decode()
        return node.output(SIGN.format(request=words, begin=begin, end=end))

    def end(self, certificate):
        """When a certificate ends, in seconds since 1970."""
        (self.folder / "certificate").write_text(certificate)
        return ssl.cert_time_to_seconds(
            openssl(self.folder, "x509 -in certificate -noout -enddate").split("=")[1].strip()
        )

    def file(self, name, certificate):
        """Returns a kubeconfig of our cluster for the one who has this certificate, and the key that was made first."""
        config = yaml.safe_load(kubeconfig(self.cluster).read_text())
        pairs = {"client-certificate-data": certificate, "client-key-data": (self.folder / f"{name}.key").read_text()}
        user = {key: base64.b64encode(text.encode()).decode() for key, text in pairs.items()}
        config["users"] = [{"name": entry["name"], "user": user} for entry in config["users"]]
        config["contexts"][0]["context"]["namespace"] = self.kubectl.namespace
        return json.dumps(config)

    def issue(self, name, *groups):
        return self.file(name, self.approve(self.submit(self.apply(name, *groups))))

    def ask(self, file, command):
        """What kubectl prints that has this file; of what it complains about, the last line."""
        path = self.folder / "config"
        path.write_text(file)
        settings = {**environment(self.cluster), "KUBECONFIG": str(path)}
        words, nothing = ["kubectl", *shlex.split(command)], subprocess.DEVNULL
        done = subprocess.run(words, env=settings, capture_output=True, text=True, timeout=60, stdin=nothing)
        return done.stderr.strip().splitlines()[-1] if done.returncode else done.stdout.strip()

    def whoami(self, file):
        answer = self.ask(file, "auth whoami -o json")
        return json.loads(answer)["status"]["userInfo"] if answer.startswith("{") else {"username": answer}

    def must_refuse(self, file, name, *commands):
        """Each of the commands must end with 403."""
        for command in commands:
            answer = self.ask(file, command)
            assert "forbidden: User" in answer, f"{name} may `kubectl {command}`: {answer}"


@pytest.fixture(scope="module")
def office(run, kubectl, eventually):
    """Opens when there is something that one may be allowed to do. Requests, keys and files are gone at the end."""
    kubectl("get role pod-reader")
    with TemporaryDirectory(prefix="kubelab-") as folder:
        made = Office(run.cluster, kubectl, eventually, Path(folder))
        yield made
    if made.asked:
        kubectl(f"delete csr --ignore-not-found {' '.join(made.asked)}")
