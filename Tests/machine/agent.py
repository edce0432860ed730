#!/usr/bin/python3
"""The guest's end of the harness: runs commands that the host sends over a virtio-serial port.

One JSON object a line, both ways. Requests: {"id", "run", "user", "environment", "input", "cwd"},
{"id", "signal"} and, on a machine that was restored, {"id", "now", "seed"}. Answers: {"hello"} at start, {"id", "stdout"|"stderr"} for each piece of output as it
comes (base64), {"id", "exit"} at the end. Commands run side by side. It needs neither the bus nor PID 1,
so that tests may restart both.
"""

import base64
import fcntl
import json
import os
import pwd
import select
import signal
import subprocess
import tempfile
import threading
import time

PORT = "agent"

#: How long output may go on after the command itself has ended: a command that leaves something in the
#: background must not hold up its own answer.
AFTERWARDS = 1.0

#: linux/random.h: what was written to the device counts from now on.
RNDRESEEDCRNG = 0x5207

#: What a pipe holds, in bytes (pipe(7)).
PIPE = 1 << 16


class Port:
    def __init__(self, name):
        self.descriptor = os.open(self._device(name), os.O_RDWR | os.O_CLOEXEC)
        self.sending = threading.Lock()

    @staticmethod
    def _device(name):
        """The port's device, found without udev's link, which comes later in the boot."""
        for port in os.listdir("/sys/class/virtio-ports"):
            with open(f"/sys/class/virtio-ports/{port}/name") as file:
                if file.read().strip() == name:
                    return f"/dev/{port}"
        raise OSError(f"no virtio port is called {name}")

    def send(self, **message):
        data = json.dumps(message).encode() + b"\n"
        with self.sending:
            while data:
                data = data[os.write(self.descriptor, data):]

    def lines(self):
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        held = bytearray()
        while True:
            poll.poll()
            try:
                piece = os.read(self.descriptor, 1 << 16)
            except BlockingIOError:
                continue
            if not piece:
                # The host end is not connected (yet).
                time.sleep(0.05)
                continue
            *whole, rest = piece.split(b"\n")
            for line in whole:
                yield bytes(held + line)
                held.clear()
            held += rest


class Command:
    def __init__(self, port, request):
        self.port, self.identity = port, request["id"]
        #: Until when output is waited for; None while the command runs.
        self.until = None
        account = pwd.getpwnam(request.get("user", "root"))
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name,
            "LANG": "C.UTF-8", **request.get("environment", {}),
        }
        given = tempfile.TemporaryFile(dir="/dev/shm")
        given.write(base64.b64decode(request.get("input", "")))
        given.seek(0)
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", request["run"]], stdin=given, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env=environment, cwd=request.get("cwd") or account.pw_dir,
            user=account.pw_uid, group=account.pw_gid,
            extra_groups=os.getgrouplist(account.pw_name, account.pw_gid), start_new_session=True)
        given.close()

    def follow(self):
        over, end = os.pipe()
        readers = [
            threading.Thread(target=self._forward, args=(name, stream, over), daemon=True)
            for name, stream in (("stdout", self.process.stdout), ("stderr", self.process.stderr))]
        for reader in readers:
            reader.start()
        status = self.process.wait()
        self.until = time.monotonic() + AFTERWARDS
        os.close(end)
        for reader in readers:
            reader.join()
        os.close(over)
        self.port.send(id=self.identity, exit=status if status >= 0 else 128 - status)

    def _forward(self, name, stream, over):
        """Sends what comes until it ends, or AFTERWARDS is over. However late this runs, what the command itself wrote
        is sent: it is in the pipe by then."""
        poll = select.poll()
        poll.register(stream, select.POLLIN)
        poll.register(over, 0)  # its end is told in any case
        while self.until is None:
            if any(descriptor == stream.fileno() for descriptor, _ in poll.poll()) and not self._pass_on(name, stream):
                return
        poll.unregister(over)
        left = PIPE
        while left > 0 and poll.poll(1000 * max(0.0, self.until - time.monotonic())):
            passed = self._pass_on(name, stream)
            if not passed:
                return
            if time.monotonic() > self.until:
                left -= passed

    def _pass_on(self, name, stream):
        """How many bytes it was; 0 at the end."""
        piece = os.read(stream.fileno(), PIPE)
        if piece:
            self.port.send(id=self.identity, **{name: base64.b64encode(piece).decode()})
        return len(piece)

    def signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass


def wake_up(now, seed):
    """After the machine was restored: sets the clock, and makes its random numbers differ from its siblings'."""
    with open("/dev/urandom", "wb", buffering=0) as device:
        device.write(base64.b64decode(seed))
        fcntl.ioctl(device, RNDRESEEDCRNG)
    time.clock_settime(time.CLOCK_REALTIME, now)


def main():
    # A shell that a test stops must not take the agent along.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    port = Port(PORT)
    commands = {}
    with open("/proc/sys/kernel/random/boot_id") as file:
        port.send(hello=file.read().strip())

    def serve(request):
        identity = request["id"]
        try:
            commands[identity] = Command(port, request)
            commands[identity].follow()
        except (OSError, KeyError, subprocess.SubprocessError) as error:
            text = f"the agent could not run it: {error!r}\n".encode()
            port.send(id=identity, stderr=base64.b64encode(text).decode())
            port.send(id=identity, exit=126)
        finally:
            commands.pop(identity, None)

    for line in port.lines():
        request = json.loads(line)
        if "run" in request:
            threading.Thread(target=serve, args=(request,), daemon=True).start()
        elif "now" in request:
            wake_up(request["now"], request["seed"])
            port.send(id=request["id"], exit=0)
        elif command := commands.get(request["id"]):
            command.signal(request["signal"])


if __name__ == "__main__":
    main()
