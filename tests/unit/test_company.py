"""One setting for the proxy, one for the authority, and what follows from them."""

from __future__ import annotations

import os
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import yaml

from kubelab import bootstrap, company, subshell
from kubelab.behind.proxy import Authority
from kubelab.kubectl import environment
from kubelab.paths import ROOT
from plugins.filter.company import for_other_machines, from_environment

PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and none of the company's settings that this machine may have itself."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", company.AUTHORITY, "SSL_CERT_FILE", "APT_CONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/kubelab/company"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    path.write_bytes(Authority().pem)
    return path


def test_without_a_setting_nothing_changes(cache: Path) -> None:
    assert company.environment({"PATH": "/bin", "NO_PROXY": "a.example"}) == {}
    assert not cache.exists()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])
def test_one_proxy_is_for_everything_in_both_cases(name: str) -> None:
    found = company.environment({name: "proxy.example:3128"})
    assert {key: value for key, value in found.items() if not key.lower().startswith("no_")} == dict.fromkeys(
        ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"), PROXY
    )
    assert found["NO_PROXY"] == found["no_proxy"] == "localhost,127.0.0.1,::1,.svc,.cluster.local"


def test_two_proxies_stay_two() -> None:
    found = company.environment({"HTTPS_PROXY": PROXY, "http_proxy": "http://other.example:80"})
    assert (found["https_proxy"], found["HTTP_PROXY"]) == (PROXY, "http://other.example:80")


def test_the_users_own_exceptions_stay_and_come_first() -> None:
    found = company.environment({"HTTPS_PROXY": PROXY, "NO_PROXY": "a.example, b.example", "no_proxy": "b.example,c"})
    assert found["NO_PROXY"].startswith("a.example,b.example,c,localhost,")


def test_doing_it_again_changes_nothing(authority: Path) -> None:
    given = {"HTTPS_PROXY": PROXY, company.AUTHORITY: str(authority)}
    once = company.environment(given, company.addresses)
    assert company.environment(given | once, company.addresses) == once


def test_a_span_of_addresses_becomes_ranges() -> None:
    words = company.no_proxy("", ["192.168.1.200-192.168.1.220", "node-one"]).split(",")
    ranges = [ip_network(word) for word in words if "/" in word]
    assert "node-one" in words
    for last in (199, 200, 210, 220, 221):
        assert any(ip_address(f"192.168.1.{last}") in one for one in ranges) == (200 <= last <= 220)


def test_a_cluster_of_containers_is_beside_the_proxy(tmp_path: Path) -> None:
    shape = {"cluster_control_planes": 1, "cluster_workers": 2, "network_pods": "10.200.0.0/16"}
    (tmp_path / "mine.yml").write_text(yaml.safe_dump({"all": {"vars": shape}}))
    found = company.addresses("mine", tmp_path)
    assert {"10.200.0.0/16", "10.96.0.0/16", "172.30.0.0/16"} < set(found)
    assert "10.244.0.0/16" not in found
    assert {"kubelab-mine-control-plane", "kubelab-mine-worker", "kubelab-mine-worker2"} < set(found)


def test_a_cluster_on_machines_is_beside_the_proxy() -> None:
    found = company.addresses("hosts.example")
    assert {"node-one", "192.168.1.11", "203.0.113.13", "192.168.1.13", "visitor"} < set(found)
    assert "192.168.1.200-192.168.1.220" in found


def test_the_address_that_control_planes_share_is_beside_the_proxy(tmp_path: Path) -> None:
    (tmp_path / "three.yml").write_text("all: {vars: {cluster_api_address: 192.168.1.199}, children: {workers: {}}}")
    assert "192.168.1.199" in company.addresses("three", tmp_path)


def test_kubectl_and_the_shell_ask_the_cluster_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    for text in (environment("kind")["NO_PROXY"], environment("kind")["no_proxy"], subshell.exports("kind")):
        assert "kubelab-kind-worker2" in text
        assert "10.96.0.0/16" in text


def test_the_authority_comes_beside_those_of_the_system(authority: Path, tmp_path: Path) -> None:
    system = tmp_path / "system.pem"
    system.write_bytes(Authority().pem)
    found = company.environment({company.AUTHORITY: str(authority), "SSL_CERT_FILE": str(system)})
    assert found["SSL_CERT_FILE"] == found["PIP_CERT"] == found["GIT_SSL_CAINFO"]
    both = Path(found["SSL_CERT_FILE"]).read_text()
    assert system.read_text() in both
    assert authority.read_text() in both
    assert f'Acquire::https::CAInfo "{found["SSL_CERT_FILE"]}";' in Path(found["APT_CONFIG"]).read_text()


def test_where_the_system_has_it_already_nothing_is_written_twice(authority: Path, cache: Path) -> None:
    found = company.environment({company.AUTHORITY: str(authority), "SSL_CERT_FILE": str(authority)})
    assert found["SSL_CERT_FILE"] == found["PIP_CERT"] == str(authority)
    assert not list(cache.glob("*.pem"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file"),
        ("no certificate", "holds no certificates as PEM"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no certificates as PEM"),
    ],
)
def test_an_authority_that_is_none_is_refused(content: str | None, why: str, tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    done = subprocess.run(
        [ROOT / "invoke", "--list"],
        env={**os.environ, company.AUTHORITY: str(path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"found:  KUBELAB_CA={path}, ")
    assert why in done.stderr
    assert "\nneeded: a file with the certificates" in done.stderr
    assert "\nchange: export KUBELAB_CA=" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_launcher_refuses_it_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(company.AUTHORITY, str(tmp_path))
    monkeypatch.setattr(bootstrap, "prepare", lambda words: pytest.fail("it went on"))
    with pytest.raises(SystemExit) as ended:
        bootstrap.main()
    assert ended.value.code == 2
    assert "cannot be read: Is a directory" in capsys.readouterr().err


def said(tmp_path: Path, text: str, **settings: str) -> str:
    """What a playbook that somebody starts by hand, with these settings in the environment, makes of a template."""
    task = {"ansible.builtin.copy": {"content": text, "dest": str(tmp_path / "said"), "mode": "0644"}}
    files = ["roles/container_engine/vars/main.yml"]
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": [str(ROOT / path) for path in files]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{**play, "tasks": [task]}]))
    words = ["ansible-playbook", "-i", "inventory/kind.yml", str(tmp_path / "play.yml")]
    subprocess.run(words, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, check=True)
    return (tmp_path / "said").read_text()


def template(path: str) -> str:
    return f"{{{{ lookup('ansible.builtin.template', '{ROOT}/roles/{path}.j2') }}}}"


def test_a_playbook_that_somebody_starts_by_hand_follows_them_too(authority: Path, tmp_path: Path) -> None:
    """What it starts here by its own environment; what sudo starts here, and machines, by what tasks are told."""
    told = "{{ company_environment.APT_CONFIG }} {{ company_machines_environment.no_proxy }} {{ company_mmdebstrap }}"
    text = "{{ lookup('env', 'SSL_CERT_FILE') }} {{ lookup('env', 'NO_PROXY') }} " + told
    found = said(tmp_path, text, HTTPS_PROXY=PROXY, KUBELAB_CA=str(authority))
    assert found.count("kubelab-kind-worker2") == 2
    assert ".pem " in found
    assert "--aptopt=/" in found


def test_nodes_of_kind_get_the_authorities_that_there_are(authority: Path, tmp_path: Path) -> None:
    kind = template("machines/templates/kind.yml")
    nodes = yaml.safe_load(said(tmp_path, kind, KUBELAB_CA=str(authority)))["nodes"]
    assert [node["extraMounts"][0]["containerPath"] for node in nodes] == ["/etc/ssl/certs/ca-certificates.crt"] * 3
    assert yaml.safe_load(said(tmp_path, kind))["nodes"] == [{"role": "control-plane"}, *[{"role": "worker"}] * 2]


def test_the_engine_that_is_ours_reads_them_when_it_starts(authority: Path, tmp_path: Path) -> None:
    unit = template("container_engine/templates/etc/systemd/system/docker.service.d/kubelab.conf")
    found = said(tmp_path, unit, HTTPS_PROXY="http://me:a%20b@proxy.example:1", KUBELAB_CA=str(authority))
    assert 'Environment="HTTPS_PROXY=http://me:a%%20b@proxy.example:1"' in found.splitlines()
    assert 'Environment="SSL_CERT_FILE=/etc/docker/kubelab-authorities.pem"' in found.splitlines()


def test_what_is_set_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", "")
    assert from_environment(["HTTPS_PROXY", "NO_PROXY", "HTTP_PROXY"]) == {"HTTPS_PROXY": PROXY}


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        (PROXY, True), ("http://user:word@10.1.2.3:80", True),
        ("http://localhost:3128", False), ("http://127.0.0.2:3128", False), ("http://[::1]:80", False),
    ],
)  # fmt: skip
def test_a_proxy_on_this_machine_is_none_for_others(url: str, reached: bool) -> None:
    told = for_other_machines({"HTTPS_PROXY": url, "NO_PROXY": "localhost"})
    assert told == ({"HTTPS_PROXY": url, "NO_PROXY": "localhost"} if reached else {"HTTPS_PROXY": "", "NO_PROXY": ""})
