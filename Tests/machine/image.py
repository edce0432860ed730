"""The Debian images that the test machines boot: how they are made, and where they are kept.

An image is made once by mmdebstrap and never altered afterwards: every machine writes to an overlay of
its own. Its name in the cache holds a hash of this file, of initrd.py and of the package sources, so that a
changed recipe makes a new image and an old one is simply not found any more.
"""

import concurrent.futures
import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from initrd import make_initrd

CODENAMES = {"12": "bookworm", "13": "trixie"}

#: What every machine carries beside Debian's essential packages. Tests have no network: what they use
#: must be here, and only the package under test is installed later.
PACKAGES = """
    systemd systemd-sysv dbus polkitd libnss-systemd libpam-systemd udev kmod
    linux-image-cloud-amd64 initramfs-tools busybox-static
    nftables apt-utils iproute2 procps psmisc less bash-completion sudo strace socat adduser
    python3 jq gunicorn redis-server redis-tools nginx-light curl openssh-server openssh-client fish zsh
    libsqlite3-0 sqlite3 libsystemd0 libstdc++6 libgcc-s1 ca-certificates systemd-oomd
""".split()

FLAVOURS = {"plain": [], "bench": ["podman", "crun", "conmon"]}

#: Started by the tests that need them; off at boot, so that a boot is short and a measurement quiet.
DISABLED = """
    nginx.service redis-server.service ssh.service cron.service e2scrub_reap.service
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    man-db.timer logrotate.timer podman.service podman.socket podman-auto-update.timer
    podman-restart.service remote-fs.target
""".split()

#: Terminals, a clock that would ask the network, and what a machine without hardware, a firmware or old
#: users of it starts in vain. A masked unit stays off whatever installs it.
MASKED = r"""
    getty@tty1.service serial-getty@ttyS0.service console-getty.service systemd-timesyncd.service
    systemd-networkd.service systemd-firstboot.service ssh.socket sshd-unix-local.socket
    systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-hwdb-update.service
    ldconfig.service systemd-update-done.service systemd-binfmt.service
    proc-sys-fs-binfmt_misc.automount systemd-update-utmp.service modprobe@.service
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount
    sys-fs-fuse-connections.mount systemd-udev-load-credentials.service systemd-pstore.service
    systemd-hostnamed.socket systemd-creds.socket systemd-mountfsd.socket
    systemd-oomd.service systemd-oomd.socket
""".split()

#: Generators that look for partitions, TPMs and virtual sockets.
MASKED_GENERATORS = """
    systemd-gpt-auto-generator systemd-ssh-generator systemd-tpm2-generator systemd-sysv-generator
    systemd-hibernate-resume-generator systemd-cryptsetup-generator systemd-veritysetup-generator
    systemd-integritysetup-generator systemd-rc-local-generator systemd-bless-boot-generator
""".split()

#: The machine has its own initrd (initrd.py); Debian's is not worth the time it takes to make.
EARLY_FILES = {"etc/initramfs-tools/update-initramfs.conf": "update_initramfs=no\n"}

FILES = {
    "etc/hostname": "machine\n",
    "etc/hosts": "127.0.0.1 localhost machine\n::1 localhost\n",
    "etc/machine-id": "c0ffee00c0ffee00c0ffee00c0ffee00\n",
    # The initrd has mounted both disks; nothing at boot waits for udev to find them.
    "etc/fstab": "",
    # Hardware that qemu pretends to have, and that no test uses.
    "etc/modprobe.d/machine.conf": "".join(f"blacklist {module}\n" for module in """
        kvm_amd kvm_intel powernow_k8 ata_piix ata_generic i2c_piix4 psmouse pcspkr floppy button
        evdev serio_raw qemu_fw_cfg parport_pc ppdev sr_mod cdrom sg efi_pstore drm bochs ahci
        """.split()),
    # Whole journals, also across reboots and of chatty tests.
    "etc/systemd/journald.conf.d/machine.conf":
        "[Journal]\nStorage=persistent\nSyncIntervalSec=1s\nSystemMaxUse=200M\n",
    "etc/apt/apt.conf.d/90machine": 'APT::Install-Recommends "false";\nAcquire::Languages "none";\n',
    # The kernel patches its scheduler whenever the first CPUQuota= comes and the last one goes, and now and then an
    # emulated processor trips over that ("Oops: int3" in dequeue_entities, seen with 6.12). With one that stays it
    # is done once, before any test.
    "etc/systemd/system/quota.slice":
        "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target\n[Slice]\nCPUQuota=100%\n",
    "etc/systemd/system/machine-agent.service": """\
[Unit]
Description=Runs what the test harness asks for
DefaultDependencies=no
Conflicts=shutdown.target
Before=shutdown.target
Wants=quota.slice
After=quota.slice

[Service]
ExecStart=/usr/bin/python3 -u /payload/agent.py
Restart=always
RestartSec=100ms
KillMode=mixed
OOMScoreAdjust=-1000
TasksMax=infinity
LimitNOFILE=65536

[Install]
WantedBy=sysinit.target
""",
}

#: Ordinary users for tests of who may do what.
USERS = ("visitor", "helper")


class Image(NamedTuple):
    """A bootable Debian: a raw disk that nobody writes to, and the kernel and initrd beside it."""

    suite: str
    flavour: str
    disk: pathlib.Path
    kernel: pathlib.Path
    initrd: pathlib.Path


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "podctl"


def package_sources(suite):
    """The deb822 sources of SUITE: this machine's own mirrors where it is a Debian, else Debian's."""
    own = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    if own.exists():
        text = own.read_text()
    else:
        text = (
            "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: bookworm bookworm-updates\n"
            f"Components: main\nSigned-By: {keyring}\n\n"
            "Types: deb\nURIs: http://deb.debian.org/debian-security\nSuites: bookworm-security\n"
            f"Components: main\nSigned-By: {keyring}\n")
    names = "|".join(CODENAMES.values())
    return re.sub(rf"\b({names})\b", CODENAMES[suite], text)


def image(suite, flavour="plain", log=print):
    """The image of SUITE, made now unless the cache holds it. Others who ask meanwhile wait for it."""
    here = pathlib.Path(__file__).parent
    recipe = "".join((here / name).read_text() for name in ("image.py", "initrd.py"))
    recipe += package_sources(suite)
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    directory = cache / f"debian-{suite}-{flavour}-{key}"
    found = Image(suite, flavour, directory / "disk.raw", directory / "vmlinuz", directory / "initrd")
    with open(cache / f"debian-{suite}-{flavour}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            started = time.monotonic()
            log(f"Making the Debian {suite} image ({flavour}), once …")
            _build(found, log=cache / f"debian-{suite}-{flavour}.log")
            log(f"Made {directory} in {time.monotonic() - started:.0f} s")
            _forget_old(cache)
        os.utime(directory)
    return found


def _forget_old(cache):
    """Removes images that nothing has booted for a week: of an older recipe, or of another branch."""
    for old in cache.glob("debian-*"):
        if old.is_dir() and time.time() - old.stat().st_mtime > 7 * 86400:
            shutil.rmtree(old, ignore_errors=True)


def _build(wanted, log):
    target = wanted.disk.parent
    new = target.with_name(target.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    work = pathlib.Path(tempfile.mkdtemp(prefix="podctl-image-"))
    # Without root, mmdebstrap works in a user namespace, and mke2fs must see the owners from inside it.
    unprivileged = os.geteuid() != 0
    inside = ["mmdebstrap", "--unshare-helper"] if unprivileged else []
    try:
        work.chmod(0o755)
        tree = work / "tree"
        early, late = work / "early", work / "late"
        _write_tree(early, EARLY_FILES)
        _write_tree(late, FILES)
        sources = work / "machine.sources"
        sources.write_text(package_sources(wanted.suite))
        finish = work / "finish"
        finish.write_text(_finishing_script())
        finish.chmod(0o755)
        with open(log, "w") as output:
            def step(command, attempts=1):
                output.write(f"+ {' '.join(map(str, command))}\n")
                output.flush()
                for attempt in range(attempts):
                    if subprocess.run(command, stdout=output, stderr=subprocess.STDOUT).returncode == 0:
                        return
                    time.sleep(30 if attempt + 1 < attempts else 0)
                raise RuntimeError(f"{command[0]} failed for Debian {wanted.suite}: see {log}")

            # A mirror may have a bad minute.
            step(attempts=3, command=[
                "mmdebstrap", f"--mode={'unshare' if unprivileged else 'root'}", "--variant=minbase",
                f"--include={','.join(PACKAGES + FLAVOURS[wanted.flavour])}",
                "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
                "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io",
                "--dpkgopt=force-confold",
                '--aptopt=APT::Install-Recommends "false"',
                f"--essential-hook=sync-in {early} /",
                f"--customize-hook=sync-in {late} /",
                f"--customize-hook={finish} \"$1\"",
                CODENAMES[wanted.suite], tree, sources])
            shutil.copyfile(next((tree / "boot").glob("vmlinuz-*")), new / "vmlinuz")
            (new / "initrd").write_bytes(make_initrd(tree))
            disk = new / "disk.raw"
            with open(disk, "wb") as raw:
                raw.truncate(4 << 30)
            step(inside + ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-E",
                           "lazy_itable_init=0,lazy_journal_init=0", "-d", tree, disk])
        new.rename(target)
    finally:
        subprocess.run(inside + ["rm", "-rf", "--one-file-system", str(work)], check=False)


def _write_tree(directory, files):
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _finishing_script():
    users = "\n".join(
        f'chroot "$1" useradd --create-home --shell /bin/bash {name}' for name in USERS)
    return f"""\
#!/bin/sh
set -eu
for unit in {' '.join(DISABLED)}; do
    systemctl --root="$1" --quiet disable "$unit" 2>/dev/null || :
done
for unit in {' '.join(MASKED)}; do
    ln -sf /dev/null "$1/etc/systemd/system/$unit"
done
mkdir -p "$1/etc/systemd/system-generators"
for generator in {' '.join(MASKED_GENERATORS)}; do
    ln -s /dev/null "$1/etc/systemd/system-generators/$generator"
done
systemctl --root="$1" --quiet enable machine-agent.service
systemctl --root="$1" --quiet set-default multi-user.target
{users}
mkdir -p "$1/payload" "$1/var/log/journal"
# Only the package under test is ever installed, and the network is not there.
rm -f "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap
"""


if __name__ == "__main__":
    # Several at the same time: most of it is waiting for the mirror.
    with concurrent.futures.ThreadPoolExecutor() as at_once:
        wanted = [requested.partition("-") for requested in sys.argv[1:] or CODENAMES]
        for made in at_once.map(lambda each: image(each[0], each[2] or "plain"), wanted):
            print(made.disk)
