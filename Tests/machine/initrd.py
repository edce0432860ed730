"""The machine's own initrd: loads what the two disks and the agent need, mounts, hands over to systemd.

Debian's needs 3 to 6 s under emulation (udev, unpacking); this one a few tenths of a second.
"""

import lzma
import pathlib
import stat

MODULES = ("virtio_pci", "virtio_blk", "ext4", "virtio_console", "virtio_rng")

INIT = """\
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t devtmpfs dev /dev
for module in $($b cat /modules/order); do $b insmod /modules/$module; done
tries=0
until [ -b /dev/vdb ] || [ $tries = 100 ]; do tries=$((tries + 1)); $b usleep 50000; done
$b mount -t ext4 -o rw /dev/vda /root || exec $b poweroff -f
$b mount -t ext4 -o ro /dev/vdb /root/payload
$b umount /proc
$b mount --move /dev /root/dev
exec $b switch_root /root /sbin/init
"""


def make_initrd(tree):
    """The initrd, as bytes, for the one kernel that is installed in TREE (with busybox-static)."""
    tree = pathlib.Path(tree)
    files = {"init": INIT.encode(), "bin/busybox": (tree / "bin" / "busybox").read_bytes()}
    order = []
    for name, content in _modules(next((tree / "lib" / "modules").iterdir())):
        files[f"modules/{name}"] = content
        order.append(name)
    files["modules/order"] = "\n".join(order).encode()
    archive = b""
    for directory in ("bin", "modules", "proc", "dev", "root"):
        archive += _entry(directory, stat.S_IFDIR | 0o755, b"")
    for name, content in files.items():
        archive += _entry(name, stat.S_IFREG | 0o755, content)
    return archive + _entry("TRAILER!!!", 0, b"")


def _modules(directory):
    """Name and content of each module that MODULES need, in the order in which they can be loaded."""
    needs = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        path, _, dependencies = line.partition(":")
        needs[_plain(path)] = (path, dependencies.split())
    done = set()
    for module in MODULES:
        # What is not listed is built in. modules.dep names the dependency to load first last.
        path, dependencies = needs.get(module, (None, []))
        for each in [*reversed(dependencies), path]:
            if each and each not in done:
                done.add(each)
                content = (directory / each).read_bytes()
                yield _plain(each) + ".ko", lzma.decompress(content) if each.endswith(".xz") else content


def _plain(path):
    return pathlib.PurePath(path).name.split(".")[0].replace("-", "_")


def _entry(name, mode, content):
    """One file of a cpio archive in the "newc" form, which is the kernel's (initramfs-buffer-format)."""
    path = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4)
