"""Artifacts: what a node is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import Context, task

from kubelab.paths import DEFAULT_CLUSTER

if TYPE_CHECKING:
    from kubelab.bundle.archive import Manifest

FILE_HELP = {"file": "the bundle: one file of about 650 MB"}


@task
def lock(_: Context) -> None:
    """Write go.mod and go.sum of everything that is built, from the version table.

    The table is inventory/group_vars/all/versions.yml. With the same versions nothing changes.

    Examples:
      invoke artifacts.lock
    """
    from kubelab import playbook

    changed = playbook.run("lock", DEFAULT_CLUSTER).changed
    print("every lock file was up to date" if changed == 0 else "the next `invoke up` builds what has changed")


@task(name="list", help={"json": "print everything as JSON, digests in full"})
def list_all(_: Context, json: bool = False) -> None:
    """List all that a cluster is made of: version, source, digest, licence and size of each part, image and package.

    What was not built on this machine yet says so.

    Examples:
      invoke artifacts.list
      invoke artifacts.list --json | jq '.[] | select(.kind == "image")'
    """
    from kubelab import table
    from kubelab.artifacts import listing, made

    found = listing.items(made.of_this_tree())
    if json:
        print(listing.as_json(found))
        return
    for title, rows in listing.tables(found):
        table.show(listing.HEADINGS, rows, title)


@task(positional=["file"], help={"file": "where to write it"})
def sbom(_: Context, file: str) -> None:
    """Write a bill of materials in CycloneDX's form: all that is listed, and the Go modules inside of each program.

    Scanners for known vulnerabilities read it.

    Examples:
      invoke artifacts.sbom kubelab.cdx.json
    """
    from pathlib import Path

    from kubelab.artifacts import made, sbom

    Path(file).write_text(sbom.as_json(made.of_this_tree()) + "\n")
    print(f"written: {file}")


@task(
    help={
        "dry-run": "say what would be removed, and remove nothing",
        "days": "what other copies of the project may use goes when nobody used it for so many days (usually 30)",
    }
)
def prune(_: Context, dry_run: bool = False, days: str = "30") -> None:
    """Remove what no cluster uses: old parts, nodes, disks and node images, and what interrupted builds left.

    What this copy's versions and files make stays, and what its clusters are made of.

    Examples:
      invoke artifacts.prune --dry-run
      invoke artifacts.prune --days=7
    """
    from kubelab import table
    from kubelab.artifacts import made, prune
    from kubelab.errors import Refusal

    if not days.isdecimal():
        raise Refusal(f'"{days}" days', "a whole number from 0 on", "invoke artifacts.prune --days=30")
    found = prune.prune(made.of_this_tree(), int(days), dry_run, print)
    if found:
        table.show(("name", "why", "frees"), [(one.name, one.why, f"{one.size / 1e6:.1f} MB") for one in found])
    total = f"{len(found)} of them, {sum(one.size for one in found) / 1e9:.2f} GB"
    print(f"{'would be removed' if dry_run else 'removed'}: {total if found else 'nothing'}")


@task(positional=["file"], help=FILE_HELP)
def bundle(_: Context, file: str) -> None:
    """Pack all that another machine needs to bring up the same cluster without a network; build what is missing.

    It holds the parts, the tools of .venv, and the packages of Docker Engine for the Debian or Ubuntu that runs here.

    Examples:
      invoke artifacts.bundle /media/usb/kubelab.bundle
    """
    from pathlib import Path

    from kubelab.bundle import archive, making, wheels
    from kubelab.errors import Refusal
    from kubelab.paths import cache_dir, requirements_key
    from kubelab.progress import Meter

    target = Path(file).absolute()
    if not target.parent.is_dir():
        raise Refusal(f"no folder {target.parent}", "a folder to write the bundle to", "the file's name")
    contents = _contents("bundle")
    folders = [*map(Path, contents["built"]), wheels.download(_say), *(cache_dir() / "packages").glob("*[0-9]")]
    _say("taking the digests of all files (usually 10 s)")
    manifest = archive.Manifest(
        key=contents["key"],
        requirements=requirements_key(),
        commit=making.commit(),
        versions={name: part["version"] for name, part in contents["versions"].items()},
        files=making.files(folders, cache_dir()),
    )
    seal = making.write(target, manifest, cache_dir(), Meter("packing, usually 1 min"))
    print(f"written: {target} ({target.stat().st_size >> 20} MiB), {_in_words(manifest)}")
    print(f"its SHA-256, which the other machine shows too: {seal}")
    print(f"try there, in this copy of kubelab:\n  ./invoke artifacts.unbundle {target.name}\n  ./invoke up")


@task(positional=["file"], help=FILE_HELP)
def unbundle(_: Context, file: str) -> None:
    """Unpack a bundle into the cache: the next `invoke up` needs no network. Interrupted, it goes on.

    A file that is not whole, or that another version of kubelab has made, is refused, and nothing is changed.

    Examples:
      ./invoke artifacts.unbundle /media/usb/kubelab.bundle    (may be the first command on a machine)
    """
    from pathlib import Path

    from kubelab.bundle import archive, unpack
    from kubelab.errors import Refusal
    from kubelab.paths import cache_dir, requirements_key
    from kubelab.progress import Meter

    path = Path(file)
    try:
        said = archive.check(path, Meter("checking every byte"))
        key = _contents("contents")["key"]
        if (said.key, said.requirements) != (key, requirements_key()):
            raise archive.other_copy(path, said, f"the key of its parts is {said.key}, here {key}")
        with unpack.alone(cache_dir(), _say):
            wanted = unpack.missing(said, cache_dir())
            unpack.place(path, said, wanted, cache_dir(), Meter("unpacking"))
    except archive.Unusable as unusable:
        raise Refusal(unusable.found, unusable.needed, unusable.change) from None
    print(f"in the cache: {_in_words(said)}; new were {len(wanted)} of {len(said.files)} files")
    print(f"its SHA-256: {archive.seal(path)}\ntry next:\n  ./invoke up")


@task(positional=["registry"], help={"registry": "where to: host[:port][/prefix]"})
def push(_: Context, registry: str) -> None:
    """Push the node image, and all else that a cluster takes, into a registry of yours; build it if it is missing.

    It prints what others write into a file, so that `invoke up` pulls it there instead of building.

    Examples:
      invoke artifacts.push registry.school.example:5000
    """
    from kubelab import playbook
    from kubelab.sources import require_registry

    require_registry(registry)
    playbook.run("push", "kind", {"artifacts_push_to": registry})


def _contents(playbook_name: str) -> dict[str, Any]:
    """Returns what the parts of this tree are called and where they lie, as the role artifacts says."""
    import json
    import tempfile
    from pathlib import Path

    from kubelab import playbook

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "contents.json"
        playbook.run(playbook_name, "kind", {"artifacts_contents": str(file)})
        contents: dict[str, Any] = json.loads(file.read_text())
    return contents


def _in_words(said: Manifest) -> str:
    """Names also the systems that it has an engine for: on others there must be one already."""
    size = sum(file.size for file in said.files) >> 20
    engines = sorted({file.path.split("/")[1] for file in said.files if file.path.startswith("packages/")})
    engine = f"engine for {' and '.join(engines) or 'no system'}"
    return f"Kubernetes {said.versions['kubernetes']}, {engine}, key {said.key}, {len(said.files)} files of {size} MiB"


def _say(text: str) -> None:
    print(f"  ...      {text}", flush=True)
