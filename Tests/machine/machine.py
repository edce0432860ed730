"""A test machine: Debian under qemu, on a disk of its own, driven through an agent in the guest.

    with Machine(image, payload, directory) as machine:
        machine.boot()
        status, stdout, stderr = machine.run("systemctl is-system-running")

Everything a command writes is kept until asked for, commands may run side by side (`start`), and
`reboot`, `power_cut` and `shutdown` do what they say on the same disk. A booted machine can be saved, and
others restored from it, which takes seconds where a boot takes a minute:

    saved = machine.save(directory / "saved")
    with Machine(image, payload, other, saved=saved) as machine:
        machine.restore()
"""

import base64
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from typing import NamedTuple


class MachineError(Exception):
    """The machine itself failed: it did not boot, hung, or went away under a command."""


class NoAgent(MachineError):
    """A boot that did not come to its end in time."""


class CommandFailed(Exception):
    """A command that should have succeeded did not; says what it printed."""

    def __init__(self, machine, command, result):
        self.machine, self.command, self.result = machine, command, result
        super().__init__(f"exit status {result.status}: {command}\n{result.stdout}{result.stderr}".rstrip())


class Result(NamedTuple):
    status: int
    stdout: str
    stderr: str


class Saved(NamedTuple):
    """A booted machine at rest: its memory and the disk that belongs to it, neither ever altered. What is restored
    from it must have the same image, processors, memory and kernel command line; `Machine(saved=…)` sees to that."""

    memory_file: pathlib.Path
    disk: pathlib.Path
    boot_id: str
    memory: int
    cpus: int
    append: str


class Job:
    """A command that runs in the guest. Output so far is in `stdout` and `stderr`."""

    def __init__(self, machine, identity, command):
        self.machine, self.identity, self.command = machine, identity, command
        self._pieces = {"stdout": bytearray(), "stderr": bytearray()}
        self._ended = threading.Event()
        self._status = None
        self._lost = None

    @property
    def stdout(self):
        return bytes(self._pieces["stdout"]).decode(errors="surrogateescape")

    @property
    def stderr(self):
        return bytes(self._pieces["stderr"]).decode(errors="surrogateescape")

    @property
    def stdout_bytes(self):
        return bytes(self._pieces["stdout"])

    @property
    def running(self):
        return not self._ended.is_set()

    def signal(self, number=signal.SIGTERM):
        """Sends a signal to the command's whole process group."""
        self.machine._send(id=self.identity, signal=int(number))

    def wait(self, timeout=120):
        """The result, or MachineError when the machine goes away, TimeoutError after TIMEOUT seconds."""
        if not self._ended.wait(timeout):
            self.signal(signal.SIGKILL)
            self._ended.wait(10)
            raise TimeoutError(
                f"no end after {timeout} s: {self.command}\n{self.stdout}{self.stderr}".rstrip())
        if self._lost:
            raise MachineError(f"{self._lost} during: {self.command}")
        return Result(self._status, self.stdout, self.stderr)

    def _take(self, message):
        for name, pieces in self._pieces.items():
            if name in message:
                pieces += base64.b64decode(message[name])
        if "exit" in message:
            self._status = message["exit"]
            self._ended.set()

    def _lose(self, reason):
        self._lost = reason
        self._ended.set()


class Monitor:
    """qemu's monitor (QMP), which takes one client at a time."""

    def __init__(self, path):
        self._socket = _connected(path, time.monotonic() + 30)
        self._socket.settimeout(60)
        self._stream = self._socket.makefile("rwb")
        self._stream.readline()
        self.ask("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self._socket.close()

    def ask(self, command, **arguments):
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        self._stream.flush()
        # Events may come first.
        for line in self._stream:
            answer = json.loads(line)
            if "error" in answer:
                raise MachineError(f"{command}: {answer['error'].get('desc')}")
            if "return" in answer:
                return answer["return"]
        raise OSError(f"qemu ended during {command}")

    def wait_for(self, command, condition, timeout):
        deadline = time.monotonic() + timeout
        while not condition(answer := self.ask(command)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{command}: {answer} after {timeout} s")
            time.sleep(0.02)
        return answer


def acceleration():
    """KVM where the processor really offers it: /dev/kvm alone may exist and hang an ordinary kernel."""
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    if (" vmx" in flags or " svm" in flags) and os.access("/dev/kvm", os.R_OK | os.W_OK):
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi"]


class Machine:
    """One machine with one disk. Not booted until `boot` is called."""

    def __init__(
            self, image, payload, directory, backing=None, memory=2048, cpus=2, disk=None, append="", saved=None):
        """`directory` takes the disk, the console's log and the sockets. `backing` is the disk to start
        from (the image's own by default, never altered); `disk` continues an existing one instead.
        `memory` in MiB; `append` goes to the kernel command line. `saved`: what `restore` restores."""
        self.saved = saved
        if saved:
            backing, memory, cpus, append = saved.disk, saved.memory, saved.cpus, saved.append
        self.image, self.payload = image, pathlib.Path(payload)
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.memory, self.cpus, self.append = memory, cpus, append
        self.console_log = self.directory / "console.log"
        self.disk = pathlib.Path(disk) if disk else self._overlay(pathlib.Path(backing or image.disk))
        self.boot_id = None
        self.boots = 0
        self.restores = 0
        #: Seconds that boots and restores took, and the processor time of every qemu of this machine that has ended.
        self.boot_seconds = self.restore_seconds = 0.0
        self._processor_seconds = 0.0
        #: What was run, for the report of a failing case.
        self.history = []
        self._qemu = None
        self._console_start = 0
        self._socket = None
        self._jobs = {}
        self._next = 0
        self._guard = threading.Lock()
        self._hello = threading.Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def _overlay(self, backing):
        disk = self.directory / "disk.qcow2"
        form = "qcow2" if backing.suffix == ".qcow2" else "raw"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-F", form, "-b", backing.resolve(), disk],
            check=True)
        return disk

    # Life

    @property
    def running(self):
        return self._qemu is not None and self._qemu.poll() is None

    def boot(self, timeout=180, settle=True):
        """Starts the machine and waits for the agent; with `settle`, also until systemd has started
        everything that it starts at boot."""
        if self.running:
            raise MachineError("it is running already")
        self.boots += 1
        self._hello.clear()
        started = time.monotonic()
        self._launch(started + timeout)
        while not self._hello.wait(0.1):
            if not self.running:
                message = self._qemu.stderr.read().decode().strip()
                raise MachineError(f"qemu ended while booting: {message}\n{self.console_tail()}")
            if time.monotonic() > started + timeout:
                self.kill()
                raise NoAgent(f"no agent after {timeout} s\n{self.console_tail()}")
        if settle:
            try:
                self.settle(timeout)
            except TimeoutError:
                raise NoAgent(f"still booting after {timeout} s\n{self.console_tail()}") from None
        self.boot_seconds += time.monotonic() - started
        return self

    def restore(self, timeout=60):
        """Starts the machine as it was when it was saved. Later boots are ordinary ones, from its own disk."""
        if self.running:
            raise MachineError("it is running already")
        self.restores += 1
        started = time.monotonic()
        self._launch(started + timeout, "-incoming", f"exec:cat {shlex.quote(str(self.saved.memory_file))}")
        self.boot_id = self.saved.boot_id
        try:
            with Monitor(self.directory / "monitor") as monitor:
                monitor.wait_for("query-status", lambda answer: answer["status"] != "inmigrate", timeout)
                monitor.ask("cont")
            self._wake(timeout)
        except (OSError, TimeoutError) as error:
            self.kill()
            message = self._qemu.stderr.read().decode().strip()
            raise NoAgent(f"not restored: {error} {message}\n{self.console_tail()}") from None
        self.restore_seconds += time.monotonic() - started
        return self

    def save(self, path, timeout=120):
        """Saves the machine's memory to the file PATH and ends it: (memory, disk), for machines to be restored from."""
        # What the guest's programs have written is in the file system's journal, should such a machine lose its power.
        self.succeed("sync")
        with Monitor(self.directory / "monitor") as monitor:
            monitor.ask("stop")
            monitor.ask("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
            monitor.ask("migrate", uri=f"exec:cat > {shlex.quote(str(path))}")
            answer = monitor.wait_for(
                "query-migrate", lambda answer: answer.get("status") in ("completed", "failed", "cancelled"), timeout)
            if answer["status"] != "completed":
                raise MachineError(f"the machine was not saved: {answer}")
            monitor.ask("quit")
        self._end(timeout)
        return Saved(pathlib.Path(path), self.disk, self.boot_id, self.memory, self.cpus, self.append)

    def _launch(self, deadline, *options):
        """Starts qemu and listens to the agent's port."""
        self._console_start = self.console_log.stat().st_size if self.console_log.exists() else 0
        path = self.directory / "agent"
        for each in (path, self.directory / "monitor"):
            each.unlink(missing_ok=True)
        self._qemu = subprocess.Popen(
            self._command_line(path) + list(options), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent)
        self._socket = self._connect(path, deadline)
        threading.Thread(target=self._listen, args=(self._socket, self._qemu), daemon=True).start()

    def _wake(self, timeout):
        """Gives a restored machine what it cannot know: the time, and randomness that its siblings do not have."""
        job = self._new_job("wake up")
        self._send(id=job.identity, now=time.time(), seed=base64.b64encode(os.urandom(512)).decode())
        job.wait(timeout)

    def settle(self, timeout=180):
        """Waits until systemd has no start job left, and answers with its state (running, degraded)."""
        return self.start("systemctl is-system-running --wait").wait(timeout).stdout.strip()

    def reboot(self, timeout=180):
        """An orderly reboot: the guest stops everything, and boots from the same disk."""
        self._leave("reboot.target", timeout)
        self.boot(timeout)

    def shutdown(self, timeout=180):
        """An orderly power-off. The disk is then as a switched-off machine's."""
        if self.running:
            self._leave("poweroff.target", timeout)

    def power_cut(self):
        """The power goes: what was not flushed by fsync is lost. `boot` starts from the same disk."""
        if not self.running:
            raise MachineError("it is not running")
        self.kill()

    def kill(self):
        """Ends qemu at once, whatever state it is in."""
        if self._qemu is not None:
            self._qemu.kill()
            self._end()

    @property
    def processor_seconds(self):
        """The host's processor time that this machine has taken so far."""
        return self._processor_seconds + (_processor_seconds(self._qemu.pid) if self.running else 0)

    def _end(self, timeout=None):
        """Waits until qemu has ended, and adds up its processor time before that is forgotten."""
        qemu = self._qemu
        if qemu.returncode is None:
            deadline = time.monotonic() + (timeout or 60)
            with contextlib.suppress(ChildProcessError):
                while not os.waitid(os.P_PID, qemu.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    if time.monotonic() > deadline:
                        raise subprocess.TimeoutExpired(qemu.args, timeout)
                    time.sleep(0.02)
                self._processor_seconds += _processor_seconds(qemu.pid)
            qemu.wait()

    def _leave(self, target, timeout):
        # What `systemctl poweroff` asks of PID 1, without logind: a test may have restarted the bus
        # under logind, which then does not answer for a minute.
        self.start(f"systemctl start --no-block --job-mode=replace-irreversibly {target}")
        try:
            self._end(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise MachineError(f"{target}: still up after {timeout} s\n{self.console_tail()}") from None

    def _command_line(self, agent):
        # no_timer_check: that check panics on a busy host, where the emulator is late ("IO-APIC + timer doesn't work").
        # norandmaps: qemu 7.2 translates a library anew for each address at which a process has it, which took half of
        # the processor time of a test.
        # writeback: a guest's fsync reaches the host's disk, all else may die with qemu, as with power.
        return [
            "qemu-system-x86_64", *acceleration(), "-smp", str(self.cpus), "-m", str(self.memory),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", str(self.image.kernel), "-initrd", str(self.image.initrd), "-append",
            "root=/dev/vda rw quiet mitigations=off console=ttyS0 oops=panic panic=-1 systemd.show_status=0 "
            "no_timer_check norandmaps " + self.append,
            "-drive", f"file={self.disk},if=virtio,format=qcow2,cache=writeback",
            "-drive", f"file={self.payload},if=virtio,format=raw,readonly=on",
            "-device", "virtio-rng-pci",
            "-chardev", f"file,id=console,path={self.console_log},append=on", "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={agent},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-qmp", f"unix:{self.directory / 'monitor'},server=on,wait=off",
        ]

    def kernel_crash(self):
        """What the guest's kernel said since the last boot from its first complaint on, if it panicked."""
        if not self.console_log.exists():
            return None
        with self.console_log.open("rb") as log:
            log.seek(self._console_start)
            said = log.read().decode(errors="replace")
        if "Kernel panic" not in said:
            return None
        return said[re.search("BUG: |Oops|general protection|Kernel panic", said).start():]

    def console_tail(self, lines=30):
        if not self.console_log.exists():
            return ""
        return "\n".join(self.console_log.read_text(errors="replace").splitlines()[-lines:])

    # Commands

    def start(self, command, user="root", environment=None, input=b"", cwd=None):
        """Starts a bash command in the guest and returns its Job at once."""
        job = self._new_job(command)
        self.history.append(command if user == "root" else f"({user}) {command}")
        if isinstance(input, str):
            input = input.encode()
        self._send(
            id=job.identity, run=command, user=user, environment=environment or {}, cwd=cwd,
            input=base64.b64encode(input).decode())
        return job

    def _new_job(self, command):
        with self._guard:
            self._next += 1
            job = Job(self, self._next, command)
            self._jobs[job.identity] = job
        return job

    def run(self, command, timeout=120, user="root", environment=None, input=b"", cwd=None):
        """Runs a bash command to its end: (status, stdout, stderr)."""
        return self.start(command, user, environment, input, cwd).wait(timeout)

    def succeed(self, command, **options):
        """As `run`, but the status must be 0; returns standard output."""
        result = self.run(command, **options)
        if result.status != 0:
            raise CommandFailed(self, command, result)
        return result.stdout

    def put(self, path, content, mode=0o644, owner="root"):
        """Writes a file in the guest, directories included. CONTENT is text or bytes."""
        quoted = shlex.quote(str(path))
        self.succeed(
            f"mkdir -p $(dirname {quoted}) && cat > {quoted} && chmod {mode:o} {quoted} && "
            f"chown {owner}: {quoted}", input=content)

    def get(self, path):
        """The bytes of a file in the guest."""
        command = f"cat {shlex.quote(str(path))}"
        job = self.start(command)
        result = job.wait()
        if result.status != 0:
            raise CommandFailed(self, command, result)
        return job.stdout_bytes

    def journal(self, units=(), lines=200):
        """The end of this boot's journal, of UNITS (patterns allowed) or of everything."""
        chosen = " ".join(f"-u {shlex.quote(unit)}" for unit in units)
        return self.run(f"journalctl -b --no-pager -o short-precise -n {lines} {chosen}").stdout

    # The wire

    def _connect(self, path, deadline):
        try:
            return _connected(path, deadline, lambda: self.running)
        except OSError:
            message = self._qemu.stderr.read().decode().strip() if not self.running else ""
            raise NoAgent(f"qemu does not answer on {path}: {message}") from None

    def _send(self, **message):
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except (OSError, AttributeError) as error:
            raise MachineError(f"the machine is not there: {error}") from None

    def _listen(self, connection, qemu):
        reason = "the machine went away"
        try:
            with connection.makefile("rb") as stream:
                for line in stream:
                    try:
                        message = json.loads(line)
                    except ValueError:
                        continue
                    if "hello" in message:
                        self._lose_jobs("the agent was started again")
                        self.boot_id = message["hello"]
                        self._hello.set()
                    elif job := self._jobs.get(message["id"]):
                        job._take(message)
                        if not job.running:
                            self._jobs.pop(job.identity, None)
        except OSError as error:
            reason = f"the machine went away ({error})"
        self._lose_jobs(reason)

    def _lose_jobs(self, reason):
        with self._guard:
            lost, self._jobs = self._jobs, {}
        for job in lost.values():
            job._lose(reason)


def _connected(path, deadline, wanted=lambda: True):
    """A connection to the socket PATH, which qemu is about to make."""
    while True:
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(path))
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if not wanted() or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _processor_seconds(process):
    """Of a process, or of one that has ended and is not reaped."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _die_with_parent():
    parent_death_signal = 1
    ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)
