"""A pod reaches no file, process or privilege but its own (docs/design.md, invariant 8).

Python code inside the pod makes every attempt. The same code on the host, with the rights that the pod lacks, shows that
the attempt succeeds there."""

import json

from attacking import attackers, on_host
from podctl_testing import case, expect

SECRETS = ("/home/visitor/secret", "/root/secret", "/tmp/secret", "/var/tmp/secret", "/var/log/secret",
           "/var/spool/secret", "/var/lib/secret", "/run/secret", "/boot/secret", "/mnt/secret")


def two_pods(machine):
    pods = attackers(machine, "mallory", "victim")
    victim = pods["victim"]
    victim.run("open('users/victim/secret', 'w').write('mine'); os.chmod('users/victim/secret', 0o666); answer(0)")
    return pods["mallory"], victim


def podd_pid(machine):
    return int(machine.succeed("systemctl show -P MainPID podd.service"))


@case()
def a_pod_reads_no_file_of_another_pod_of_podd_or_of_another_user(machine):
    mallory, victim = two_pods(machine)
    machine.succeed(f"for f in {' '.join(SECRETS)}; do echo secret > $f; chmod 644 $f; done; chmod 755 /home/visitor")
    main, podd = victim.main_pid(), podd_pid(machine)
    paths = [
        *SECRETS, f"/var/lib/podctl/pods/{victim.pod}/users/victim/secret", f"/run/podctl/pods/{victim.pod}/users",
        "/var/lib/podctl/podctl.db", "/var/lib/podctl/podctl.db-wal", "/run/log/journal", "/dev/mem", "/dev/vda",
        "/dev/kmsg", "/etc/shadow", "/proc/kcore", "/run/systemd/units",
        *(f"/proc/{pid}/{name}" for pid in (main, podd, 1)
          for name in ("cmdline", "environ", "maps", "fd", "root/etc/shadow", "cwd/.", "mem")),
    ]
    attempt = f"""
def look(path):
    if os.path.isdir(path): os.listdir(path)
    else: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
answer({{path: outcome(look, path) for path in {paths!r}}})
"""
    try:
        control = on_host(machine, attempt)
        readable = {path for path, result in control.items() if result == "done"}
        assert set(paths) - readable <= {"/run/log/journal", "/dev/mem", "/proc/kcore"}, control
        found = mallory.run(attempt)
        expect([path for path, result in found.items() if result == "done"], [], "read by a pod")
        # The parent directories show only the pod's own entries.
        expect(mallory.run("answer([os.listdir('/var/lib/podctl/pods'), os.listdir('/run/podctl/pods'),"
                           " sorted(os.listdir('/run/podctl')), os.path.exists('/home')])"),
               [[mallory.pod], [mallory.pod], ["notify", "pods"], False])
    finally:
        machine.succeed(f"rm -f {' '.join(SECRETS)}")


@case()
def a_pod_holds_no_descriptor_but_its_own(machine):
    mallory, _ = two_pods(machine)
    held = mallory.run("answer({number: os.readlink(f'/proc/{os.getppid()}/fd/{number}')"
                       " for number in os.listdir(f'/proc/{os.getppid()}/fd')})")
    # The standard streams, the listening socket, the selector and the connection of Python's server, and the pipe of this
    # attack.
    expect(held["0"], "/dev/null")
    kinds = sorted(link.split(":")[0] for number, link in held.items() if int(number) > 3)
    assert set(kinds) <= {"socket", "pipe", "anon_inode"} and len(kinds) <= 4, held
    # The inherited descriptors according to the kernel: the journal's stream and one listening socket.
    sockets = [held[number] for number in ("1", "2", "3")]
    assert all(link.startswith("socket:") for link in sockets) and sockets[0] == sockets[1], held


@case()
def a_pod_writes_nowhere_but_to_its_state_directory_and_its_tmp(machine):
    mallory, _ = two_pods(machine)
    found = mallory.run("""
made, opened = [], []
for directory, names, files in os.walk("/"):
    if directory.startswith("/proc"):
        names.clear()
        continue
    path = os.path.join(directory, "attack")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.unlink(path)
        made.append(directory)
    except OSError:
        pass
    opened += [p for p in (os.path.join(directory, f) for f in files) if not os.path.islink(p) and os.access(p, os.W_OK)]
answer([sorted(made), sorted(opened)])
""", seconds=300)
    home = f"/var/lib/podctl/pods/{mallory.pod}"
    expect(found[0], sorted(["/dev/shm", "/tmp", "/var/tmp", home, f"{home}/users/mallory"]), "directories it can write")
    # Devices that store nothing, and the sockets that every pod uses.
    expect([path for path in found[1] if not path.startswith(home)],
           ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero", "/run/podctl/notify/socket"],
           "files it can write")
    # The pod has its own /tmp: its files are not on the host's disk and cannot be executed.
    expect(mallory.run("""
open("/tmp/mine", "w").write("#!/bin/sh\\n"); os.chmod("/tmp/mine", 0o755)
open("users/mallory/mine", "w").write("#!/bin/sh\\n"); os.chmod("users/mallory/mine", 0o755)
answer([outcome(os.execv, "/tmp/mine", ["x"]), outcome(os.execv, "users/mallory/mine", ["x"])])
"""), ["EACCES", "EACCES"])
    assert machine.run("test -e /tmp/mine").status != 0
    # No setting of the kernel can be written.
    expect(mallory.run("""
taken = []
for directory, _, files in os.walk("/proc/sys"):
    for name in files:
        path = os.path.join(directory, name)
        def write():
            with open(path, "r+b", buffering=0) as file: file.write(file.read() or b"0\\n")
        if outcome(write) == "done": taken.append(path)
answer([taken, outcome(lambda: open("/proc/sysrq-trigger", "w").write("h"))])
"""), [[], "EACCES"], "kernel settings a pod can write")


@case()
def a_pod_has_no_privilege_and_gets_none(machine):
    machine.succeed("mkdir -p /usr/local/lib/podctl-test && cp /usr/bin/id /usr/local/lib/podctl-test/setuid-id && "
                    "chmod 4755 /usr/local/lib/podctl-test/setuid-id")
    mallory, _ = two_pods(machine)
    status = mallory.run("answer(dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines() if ':\\t' in line))")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[name], 16), 0, name)
    expect((status["NoNewPrivs"], status["Seccomp"], status["Groups"].strip()), ("1", "2", ""))
    uid = 1900000000 + int(mallory.pod.split("-")[1])
    expect({*status["Uid"].split(), *status["Gid"].split()}, {str(uid)})

    setuid = "answer(subprocess.run(['/usr/local/lib/podctl-test/setuid-id', '-u'], capture_output=True, text=True).stdout)"
    expect(on_host(machine, setuid, user="visitor"), "0\n", "control: set-user-ID")
    expect(mallory.run(setuid), f"{uid}\n", "set-user-ID in a pod")

    # Each attempt runs in its own child, because the effect of a successful one would stay.
    attempts = """
def apart(attack):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, outcome(attack).encode())
        os._exit(0)
    os.close(writing)
    text = os.read(reading, 100).decode()
    os.waitpid(child, 0)
    return text or "killed"

NEWUSER, NEWNS, NEWNET, NEWPID, NEWUTS = 0x10000000, 0x20000, 0x40000000, 0x20000000, 0x4000000
fresh = struct.pack("<8Q", NEWUSER, 0, 0, 0, 17, 0, 0, 0)
def clone3():
    if call("syscall", 435, fresh, len(fresh)) == 0: os._exit(0)
ATTEMPTS = {
    "user namespace": lambda: call("unshare", NEWUSER),
    "user namespace by clone3": clone3,
    "mount namespace": lambda: call("unshare", NEWNS),
    "network namespace": lambda: call("unshare", NEWNET),
    "process namespace": lambda: call("unshare", NEWPID),
    "mount": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
    "remount": lambda: call("mount", None, b"/dev/shm", None, 0x20 | 0x1000, None),
    "unmount": lambda: call("umount2", b"/dev/shm", 2),
    "chroot": lambda: os.chroot("/tmp"),
    "uid 0": lambda: os.setuid(0),
    "group 0": lambda: os.setgroups([0]),
    "device": lambda: os.mknod("/tmp/vda", stat.S_IFBLK | 0o600, os.makedev(254, 0)),
    "host name": lambda: call("sethostname", b"machine", 7),
    "clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
    "real time": lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)),
    "resource limit": lambda: resource.prlimit(0, resource.RLIMIT_NOFILE, (1 << 19, 1 << 19)),
    "key": lambda: call("syscall", 248, b"user", b"attack", b"x", 1, -4),
    "keyring": lambda: call("syscall", 250, 0, -4, 1),
    "bpf": lambda: call("syscall", 321, 0, ctypes.create_string_buffer(struct.pack("<4I", 1, 4, 4, 1), 72), 72),
    "perf": lambda: call("syscall", 298, ctypes.create_string_buffer(struct.pack("<2IQ", 1, 112, 0), 112), 0, -1, -1, 0),
    "io_uring": lambda: call("syscall", 425, 1, ctypes.create_string_buffer(120)),
    "userfaultfd": lambda: call("syscall", 323, 0),
    "kernel log": lambda: call("syscall", 103, 3, ctypes.create_string_buffer(4096), 4096),
    "swap": lambda: call("swapoff", b"/no/such"),
    "32-bit calls": None,
}
def by_int80():
    # mov eax, 20 (getpid there); int 0x80; ret
    import mmap
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(b"\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3")
    ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
ATTEMPTS["32-bit calls"] = by_int80
answer({name: apart(attack) for name, attack in ATTEMPTS.items()})
"""
    # Runs in its own mount namespace, so that mounts and unmounts do not affect the host.
    control = on_host(machine, attempts, program="unshare --mount python3 -")
    # For root, swapoff of a missing file fails with ENOENT, and all others succeed.
    assert control.pop("swap") == "ENOENT", control
    expect({name: result for name, result in control.items() if result != "done"}, {}, "control: as root")
    found = mallory.run(attempts)
    expect({name: result for name, result in found.items() if result not in ("EPERM", "EACCES", "ENOSYS", "killed")}, {},
           "privileges of a pod")


@case()
def a_pod_sees_signals_and_traces_no_process_but_its_own(machine):
    mallory, victim = two_pods(machine)
    main, podd = victim.main_pid(), podd_pid(machine)
    attempt = f"""
def trace(pid):
    call("ptrace", 0x4206, pid, None, None)  # PTRACE_SEIZE: stops nothing, ends with the tracer
def steal(pid):
    handle = os.pidfd_open(pid)
    os.close(call("syscall", 438, handle, 1, 0))
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]
def read_memory(pid):
    buffer = ctypes.create_string_buffer(8)
    call("process_vm_readv", pid, ctypes.byref(Piece(ctypes.addressof(buffer), 8)), 1,
         ctypes.byref(Piece(1, 8)), 1, 0)
attacks = {{
    "signal": lambda pid: os.kill(pid, 0), "trace": trace, "descriptor": steal, "memory": read_memory,
    "priority": lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 0),
    "scheduler": lambda pid: os.sched_setaffinity(pid, os.sched_getaffinity(0)),
    "limits": lambda pid: resource.prlimit(pid, resource.RLIMIT_CORE, resource.prlimit(pid, resource.RLIMIT_CORE)),
}}
answer({{f"{{name}} {{pid}}": outcome(attack, pid) for name, attack in attacks.items() for pid in {[main, podd]}}})
"""
    control = on_host(machine, attempt)
    # The address does not exist, so EFAULT means that reading was allowed.
    assert {result for name, result in control.items()} <= {"done", "EFAULT"}, control
    found = mallory.run(attempt)
    assert set(found.values()) <= {"EPERM", "ESRCH"}, found
    seen = mallory.run("answer([int(pid) for pid in os.listdir('/proc') if pid.isdigit()])")
    own = {int(pid) for pid in machine.succeed(f"pgrep -U {1900000000 + int(mallory.pod.split('-')[1])}").split()}
    assert set(seen) - own - {max(seen)} == set() and mallory.main_pid() in seen, (seen, own)
    # kill(-1) reaches all processes that the pod may signal: only its own.
    mallory.start("os.kill(-1, signal.SIGKILL)").wait()
    assert victim.alive()
    expect((victim.main_pid(), podd_pid(machine)), (main, podd), "neighbour and podd after kill(-1)")


@case()
def a_pod_reaches_no_socket_of_systemd_dbus_or_podd(machine):
    mallory, _ = two_pods(machine)
    machine.succeed("systemctl is-active dbus.socket")
    listening = json.loads(machine.succeed("""python3 -c '
import json
lines = [line.split() for line in open("/proc/net/unix")][1:]
print(json.dumps(sorted({line[7] for line in lines if len(line) > 7 and line[7].startswith("/")})))'"""))
    assert "/run/dbus/system_bus_socket" in listening and "/run/systemd/private" in listening, listening
    attempt = f"""
def reach(path):
    error = None
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        with socket.socket(socket.AF_UNIX, kind) as each:
            try:
                return each.connect(path)
            except OSError as failure:
                error = error if failure.errno == errno.EPROTOTYPE and error else failure
    raise error
answer({{path: outcome(reach, path) for path in {[*listening, "/run/podctl/notify/socket"]!r}}})
"""
    control = on_host(machine, attempt)
    assert control["/run/dbus/system_bus_socket"] == control["/run/systemd/private"] == "done", control
    found = mallory.run(attempt)
    allowed = ("/run/podctl/notify/socket",)
    expect({path: result for path, result in found.items() if result == "done" and path not in allowed}, {},
           "sockets within reach")
    assert all(found[path] == "done" for path in allowed), found
