"""The second disk of a test machine: what the host brings along, read-only at /payload.

    agent.py        the guest's end of the harness
    repo/           the signed apt repository with the package under test
    next/           the same programs as a newer version, for tests of upgrades
    debian/tests/   the DEP-8 tests, where autopkgtest would have them below its source tree
    files/          helper files of the cases (Tests/machine/files), if there are any
"""

import os
import pathlib
import re
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
TESTS = SOURCE / "packaging" / "debian" / "tests"


def make_payload(directory, packages):
    """Makes DIRECTORY/payload.img with PACKAGES (.deb files; none: without repositories)."""
    directory = pathlib.Path(directory)
    tree = directory / "payload"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    shutil.copy(HERE / "agent.py", tree)
    for name, source in (("debian/tests", TESTS), ("files", HERE / "files")):
        if source.is_dir():
            shutil.copytree(source, tree / name, symlinks=True)
    if packages:
        make_repository(tree / "repo", packages)
        newer = directory / "newer"
        shutil.rmtree(newer, ignore_errors=True)
        newer.mkdir()
        make_repository(tree / "next", [_as_newer(package, newer) for package in packages])
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    image = directory / "payload.img"
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    with open(image, "wb") as file:
        file.truncate((size * 11 // 10 + (16 << 20)) // 4096 * 4096)
    subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "payload", "-E", "root_owner=0:0", "-d", tree, image],
        check=True)
    return image


def make_repository(directory, packages):
    subprocess.run([SOURCE / "packaging" / "apt-repo", directory, *packages], check=True,
                   stdout=subprocess.DEVNULL)


def _as_newer(package, directory):
    """The same package under a higher version: what an upgrade does to running pods does not depend on
    what changed in the programs."""
    tree = directory / pathlib.Path(package).stem
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    text = re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.M)
    # podctl-gate wants the podctl of its own version.
    control.write_text(re.sub(r"\bpodctl \(= ([^)]*)\)", r"podctl (= \1+next)", text))
    # apt-ftparchive finds packages of an architecture by their file names.
    newer = directory / re.sub(r"^([^_]+_[^_]+)_", r"\1+next_", pathlib.Path(package).name)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zzstd", "-z1", "--build", tree, newer], check=True,
                   stdout=subprocess.DEVNULL)
    return newer
