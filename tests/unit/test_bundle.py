"""A bundle comes out as it went in, or nothing comes out of it."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest

from kubelab.bundle import archive, making, unpack, wheels
from kubelab.bundle.archive import File, Manifest, Unusable
from kubelab.progress import Meter

KUBELET = "parts/kubernetes-1/kubelet"
FILES = {
    "nodes/key/flannel.yaml": b"kind: DaemonSet\n",
    "packages/debian-12/docker.io_20.10_amd64.deb": b"newer",
    "parts/kind_files-1/etc/default/kubelet": b"",
    "parts/kubernetes-1/kubeadm": bytes(range(256)) * 9000,
    KUBELET: b"program" * 300_000,
    "parts/node-1.tar": b"tar",
    "wheels/1/invoke-3.0.3-py3-none-any.whl": b"wheel",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The cache of the machine that makes the bundle."""
    for name, content in FILES.items():
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "source" / KUBELET).chmod(0o755)
    return tmp_path / "source"


@pytest.fixture
def manifest(source: Path) -> Manifest:
    units = [source / name for name in ("parts/node-1.tar", "wheels/1", "parts/kind_files-1", "packages/debian-12")]
    found = making.files([*units, source / "parts/kubernetes-1", source / "nodes/key/flannel.yaml"], source)
    return Manifest("key", "pins", "abc", {"kubernetes": "1"}, found)


@pytest.fixture
def bundle(tmp_path: Path, source: Path, manifest: Manifest) -> Path:
    path = tmp_path / "kubelab.bundle"
    making.write(path, manifest, source)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The cache of the other machine."""
    return tmp_path / "cache"


def unbundle(path: Path, cache: Path) -> list[File]:
    said = archive.check(path)
    wanted = unpack.missing(said, cache)
    unpack.place(path, said, wanted, cache)
    return wanted


def there(cache: Path) -> dict[str, bytes]:
    return {str(path.relative_to(cache)): path.read_bytes() for path in cache.rglob("*") if path.is_file()}


def test_it_comes_out_as_it_went_in(bundle: Path, cache: Path) -> None:
    unbundle(bundle, cache)
    assert there(cache) == FILES
    assert (cache / KUBELET).stat().st_mode & 0o777 == 0o755
    assert (cache / "parts/node-1.tar").stat().st_mode & 0o777 == 0o644
    assert bundle.stat().st_size < 100_000 < sum(map(len, FILES.values()))


def test_the_same_files_give_the_same_bytes(tmp_path: Path, source: Path, manifest: Manifest, bundle: Path) -> None:
    seal = making.write(tmp_path / "again", manifest, source)
    assert (tmp_path / "again").read_bytes() == bundle.read_bytes()
    assert seal == archive.seal(bundle)
    assert not list(tmp_path.glob("*.partial"))


def test_what_is_there_stays_and_older_packages_go(bundle: Path, cache: Path) -> None:
    (cache / "parts/kubernetes-1").mkdir(parents=True)
    (cache / "packages/debian-12").mkdir(parents=True)
    (cache / "packages/debian-12/docker.io_20.09_amd64.deb").write_text("older")
    unbundle(bundle, cache)
    assert not list((cache / "parts/kubernetes-1").iterdir()), "what was built here stays as it is"
    assert {path.split("/")[2] for path in there(cache) if "debian" in path} == {"docker.io_20.10_amd64.deb"}
    assert unbundle(bundle, cache) == []


@pytest.mark.parametrize("where", [0.0, 0.001, 0.02, 0.1, 0.3, 0.6, 0.8, 0.99])
@pytest.mark.parametrize("what", ["cut", "damaged"])
def test_a_file_that_is_not_whole_is_refused(bundle: Path, where: float, what: str) -> None:
    content = bytearray(bundle.read_bytes())
    at = int(content.rindex(b"sha256") * where)  # the name of the last member
    content[at] ^= 0xFF
    bundle.write_bytes(content[:at] if what == "cut" else content)
    with pytest.raises(Unusable, match=r"found:  .*\nneeded: .*\nchange: "):
        archive.check(bundle)


def test_a_damaged_seal_is_refused(bundle: Path) -> None:
    content = bytearray(bundle.read_bytes())
    content[len(content.rstrip(b"\0")) - 1] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(Unusable, match="its bytes are not those that were written"):
        archive.check(bundle)


def test_another_file_is_refused(tmp_path: Path, bundle: Path) -> None:
    other = tmp_path / "other"
    with tarfile.open(other, "w") as tar:
        tar.addfile(tarfile.TarInfo("readme"), io.BytesIO())
    for path, words in {other: "which is no bundle", Path(__file__): "no bundle", tmp_path: "Is a directory"}.items():
        with pytest.raises(Unusable, match=words):
            archive.check(path)
    with pytest.raises(Unusable, match="No such file"):
        archive.check(tmp_path / "nothing")
    bundle.write_bytes(bundle.read_bytes().replace(b'"format": 1', b'"format": 9'))
    with pytest.raises(Unusable, match="format 9"):
        archive.check(bundle)


@pytest.mark.parametrize("path", ["../x", "parts/../../x", "/etc/x", "state/x", "parts/.x", "parts", "parts//x"])
def test_what_would_write_elsewhere_is_refused(
    tmp_path: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / "empty").touch()
    file = File("empty", 0, archive.digest(tmp_path / "empty"), 0o644)
    said = dataclasses.replace(manifest, files=[file])
    evil = dataclasses.replace(said, files=[dataclasses.replace(file, path=path)])
    monkeypatch.setattr(Manifest, "encode", lambda _, encode=Manifest.encode: encode(evil))
    monkeypatch.setattr(File, "member", property(lambda file: "x"))
    making.write(tmp_path / "evil", said, tmp_path)
    with pytest.raises(Unusable, match="which would write to"):
        archive.check(tmp_path / "evil")


def test_what_was_interrupted_goes_on(bundle: Path, cache: Path) -> None:
    said = archive.check(bundle)

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unpack.place(bundle, said, unpack.missing(said, cache), cache, stop)
    assert not (cache / "parts/kubernetes-1").exists(), "a folder that is there counts as whole"
    written = {path.stat().st_ino for path in cache.rglob("*") if path.is_file()}
    assert written
    unbundle(bundle, cache)
    assert there(cache) == FILES
    assert written <= {path.stat().st_ino for path in cache.rglob("*")}


def test_a_file_that_changes_between_check_and_use_is_not_used(bundle: Path, cache: Path, manifest: Manifest) -> None:
    files = [dataclasses.replace(file, sha256="0" * 64) for file in manifest.files]
    with pytest.raises(Unusable, match="changed while it was read"):
        unpack.place(bundle, dataclasses.replace(manifest, files=files), files, cache)
    assert not there(cache)


def test_a_full_disk_is_refused_before_anything_is_written(
    bundle: Path, cache: Path, manifest: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "ROOM", 1 << 60)
    with pytest.raises(Unusable, match="MiB free where"):
        unpack.place(bundle, manifest, manifest.files, cache)
    assert not there(cache)


def test_the_manifest_says_the_same_after_reading(manifest: Manifest) -> None:
    assert Manifest.decode(manifest.encode()) == manifest


def test_another_version_is_named_with_the_way_to_it(manifest: Manifest) -> None:
    refused = archive.other_copy(Path("b"), manifest, "its key is 1, here 2")
    assert "(abc): its key is 1, here 2" in refused.found
    assert refused.change == "git checkout abc"
    assert (
        "artifacts.bundle"
        in archive.other_copy(Path("b"), dataclasses.replace(manifest, commit="abc-dirty"), "").change
    )


def test_requirements_are_downloaded_whatever_they_depend_on() -> None:
    text = "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:1\nuv==1 \\\n"
    assert wheels.without_conditions(text) == "colorama==0.4.6 \\\n    --hash=sha256:1\nuv==1 \\\n"


def test_long_work_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([100.0, 105.0, 120.0, 121.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    meter = Meter("unpacking")
    for done in (1, 5, 6):
        meter(done << 20, 10 << 20)
    assert capsys.readouterr().out == "  ...      unpacking: 5 of 10 MiB, 20 s to go\n"
