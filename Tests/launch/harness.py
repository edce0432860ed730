"""Runs pod-launch as podd does: with descriptors, a plan and a release. Stands in for journald, too."""

import ctypes
import os
import platform
import resource
import signal
import socket
import struct
import subprocess

BINARY = os.environ["POD_LAUNCH"]
JOURNAL = "/run/systemd/journal/stdout"
LIBC = ctypes.CDLL(None)
RT_SIGACTION = {"x86_64": 13, "aarch64": 134}[platform.machine()]
UID = 1_900_000_001
ROOT_LINKS = [name for name in ("bin", "sbin", "lib", "lib32", "lib64") if os.path.islink("/" + name)]


def own_cgroup():
    with open("/proc/self/cgroup") as lines:
        return next(line[3:].rstrip("\n") for line in lines if line.startswith("0::"))


def plan(*program, cgroup=None, extra=(), without=()):
    """A plan like podd's: a list of operations, each a tuple of strings. `extra` goes before `readonly`."""
    operations = [
        ("cgroup", cgroup or own_cgroup()),
        ("ident", "pod-001"),
        ("uid", str(UID)),
        ("nofile", "4096"),
        ("bind", "ro,recursive,exec", "/usr", "/usr"),
        *(("symlink", os.readlink("/" + name), "/" + name) for name in ROOT_LINKS),
        ("bind", "ro,recursive", "/etc", "/etc"),
        ("dev", "/dev"),
        ("proc", "/proc"),
        ("cgroupfs", "/sys/fs/cgroup"),
        ("tmpfs", "/tmp", "1777", "size=1M,nr_inodes=1k,noexec"),
        ("bind", "ro", "/run/systemd/journal", "/run/systemd/journal"),
        ("file", "0644", "/run/userdb/pod-001.user", '{"userName":"pod-001"}'),
        ("symlink", "pod-001.user", f"/run/userdb/{UID}.user"),
        *extra,
        ("readonly", "/"),
        ("env", "PATH=/usr/bin:/bin"),
        ("env", "POD=pod-001"),
        *(("arg", argument) for argument in program),
    ]
    return [operation for operation in operations if operation[0] not in without
            and f"{operation[0]} {operation[-1]}" not in without]


def encode(operations):
    body = b"".join(part.encode() + b"\0" for operation in operations for part in operation)
    return struct.pack("<I", len(body)) + body


class Journal:
    """Listens on journald's stream socket in its place."""

    def __enter__(self):
        os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(JOURNAL)
        os.chmod(JOURNAL, 0o666)
        self.socket.listen(8)
        self.socket.settimeout(30)
        return self

    def __exit__(self, *_):
        self.socket.close()
        os.unlink(JOURNAL)

    def stream(self):
        """The header lines and the content of the next stream, after all of its writers have closed it."""
        connection, _ = self.socket.accept()
        with connection, connection.makefile("rb") as reader:
            header = [reader.readline().decode().rstrip("\n") for _ in range(7)]
            try:
                connection.send(b"journald never writes")
                raise AssertionError("the stream can be read by the pod")
            except BrokenPipeError:
                pass
            return header, reader.read().decode()


class Launch:
    """A pod-launch process, and podd's end of its control socket."""

    def __init__(self, listeners=(), keep=()):
        self.control, theirs = socket.socketpair()
        self.control.settimeout(30)
        null = os.open("/dev/null", os.O_RDWR)
        wanted = [null, null, null, theirs.fileno(), *(one.fileno() for one in listeners), *keep]

        def arrange():
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(wanted)]
            for i, fd in enumerate(high):
                os.dup2(fd, i)
            os.closerange(len(high), 200)
            # The program must not inherit podd's groups, nor the signals that podd's event loop blocks and ignores.
            os.setgroups([4, 24])
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGCHLD])
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            # Core dumps are allowed, as they are for podd.service.
            hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
            resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
            # glibc's posix_spawn leaves its own two signals ignored in the child; its sigaction(2) refuses them.
            ignore = (ctypes.c_ulong * 4)(1)
            for number in (32, 33):
                LIBC.syscall(RT_SIGACTION, number, ignore, None, 8)

        self.process = subprocess.Popen([BINARY], preexec_fn=arrange, close_fds=False)
        theirs.close()
        os.close(null)

    def send(self, data):
        try:
            self.control.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # pod-launch failed early, and its report can still be read.
        return self

    def release(self):
        return self.send(b"G")

    def report(self):
        """Everything that came from the control socket until it was closed; empty if the program runs."""
        text = b""
        try:
            while chunk := self.control.recv(4096):
                text += chunk
        except ConnectionResetError:
            pass
        return text.decode()

    def wait(self):
        self.control.close()
        return self.process.wait(30)


def outcome(operations, **options):
    """The report and the exit status of a launch that is released at once."""
    launch = Launch(**options).send(encode(operations)).release()
    report = launch.report()
    return report, launch.wait()


def output(*program, extra=(), listeners=(), keep=(), **options):
    """The output of a program that runs in a complete pod."""
    with Journal() as journal:
        launch = Launch(listeners, keep).send(encode(plan(*program, extra=extra, **options))).release()
        report = launch.report()
        assert report == "", report
        text = journal.stream()[1]
        status = launch.wait()
        assert status == 0, (status, text)
        return text
