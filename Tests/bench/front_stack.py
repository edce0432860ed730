"""The front door as it is packaged, on this host and in no machine, for Tests/bench/front: nginx and podgate on one
processor, pods and load on another, podd's answers by a stand-in.

Everything runs in namespaces of its own (mounts, network, processes): paths are the package's, addresses are those of
real pods, and nothing is left when the process that entered them ends.
"""

import asyncio
import base64
import fcntl
import hashlib
import hmac
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PODS = 20
#: Where a program answers WebSockets, and where nobody listens (front-podd.c).
STREAM_POD, GONE_POD = PODS + 1, PODS + 2
FRONT, PLAIN = "127.0.0.1:8000", "127.0.0.1:8001"
GATE, GATE_LOG, STUB = "/run/podctl/gate/auth", "/run/podctl/gate/log", "/run/podctl-front/stub"
FRONT_CPU, LOAD_CPU = (sorted(os.sched_getaffinity(0)) * 2)[:2]
KEY = bytes(range(32))
NOBODY = 65534

#: In the same nginx: to the same pods without any of it, and the answer that nginx itself gives to podgate's questions.
#: The client says where it wants to go, so that no search of nginx's counts.
PLAIN_CONF = f"""
server {{
    listen {PLAIN};
    location / {{
        proxy_pass http://$http_x_bench_pod;
        proxy_bind $http_x_bench_source;
        proxy_http_version 1.1;
        proxy_set_header Connection close;
    }}
}}
server {{
    listen unix:{STUB};
    keepalive_requests 1000000;
    location / {{ return 204; }}
}}
"""

#: 20 pods: 100 bytes for each request from the front door, nothing for others.
PODS_CONF = """
daemon off;
pid /run/pods/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
    access_log off;
    client_body_temp_path /run/pods/body;
    proxy_temp_path /run/pods/proxy;
    fastcgi_temp_path /run/pods/fastcgi;
    uwsgi_temp_path /run/pods/uwsgi;
    scgi_temp_path /run/pods/scgi;
    geo $is_front { default 0; 127.76.0.0/16 1; }
    server {
        %s
        default_type application/json;
        if ($is_front = 0) { return 444; }
        location / { return 200 '%s'; }
    }
}
"""

BUS_CONF = """
<busconfig>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
"""


def encoded(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=")


HEADER = encoded(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "bench"}).encode())


def token(user, number=0):
    """A token as long as those of usual issuers; another one for each number."""
    claims = {"iss": "https://login.example.com/realms/pods", "sub": user, "exp": 4102444800, "iat": 1764500000,
              "jti": f"{number:032x}", "name": "A User of Pods", "email_verified": True, "scope": "openid email profile"}
    signed = HEADER + b"." + encoded(json.dumps(claims, separators=(",", ":")).encode())
    return signed + b"." + encoded(hmac.digest(KEY, signed, hashlib.sha256))


def pod_request(user, number, pod, fields=""):
    """A client's request. The pod's address is for the plain server alone; the front door does not look at it."""
    return (f"GET /api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1 HTTP/1.1\r\nHost: pods.example.com\r\n"
            f"User-Agent: front-load\r\nAccept: application/json\r\nX-Bench-Pod: 127.77.0.{pod}:{10000 + pod}\r\n"
            f"X-Bench-Source: 127.76.0.{pod}\r\n{fields}Authorization: Bearer ").encode() + token(user, number) + b"\r\n\r\n"


def gate_request(user, number=0):
    """What nginx asks podgate for such a request (front-server.conf)."""
    return (b"GET /auth HTTP/1.1\r\nHost: podgate\r\nAuthorization: Bearer " + token(user, number) +
            b"\r\nX-Host: pods.example.com\r\nX-Method: GET\r\nX-Uri: /api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1\r\n"
            b"X-Peer: 127.78.0.1:43210\r\n\r\n")


def enter_namespaces():
    """Starts this program again in namespaces of its own."""
    if os.geteuid() != 0:
        sys.exit(f"{sys.argv[0]}: needs root, for namespaces, mounts and SCHED_FIFO")
    if os.environ.get("FRONT_BENCH") != "inside":
        os.environ["FRONT_BENCH"] = "inside"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
                              "--kill-child", "--mount-proc", sys.executable, *sys.argv])


def run(*command):
    subprocess.run(command, check=True)


class Stack:
    """The processes. `podgate` replaces the package's program."""

    def __init__(self, package, podgate=None):
        self.processes, self.podgate_program = {}, podgate or "/usr/lib/podctl/podgate"
        os.sched_setaffinity(0, {LOAD_CPU})
        self.make_room(package)
        self.compile()
        self.start("bus", ["dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile", "--print-address"],
                   LOAD_CPU, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.readline()
        self.start("podd", ["/run/bench/front-podd", str(PODS)], LOAD_CPU,
                   stdout=subprocess.PIPE).stdout.readline()
        self.start("pods", ["nginx", "-c", "/run/pods/pods.conf", "-e", "stderr"], LOAD_CPU)
        threading.Thread(target=serve_streams, daemon=True).start()
        self.start_podgate()
        self.start("nginx", ["nginx", "-c", "/usr/lib/podctl/front.conf", "-e", "stderr", "-g", "daemon off;"], FRONT_CPU,
                   stderr=open("/run/bench/nginx.log", "w"))
        for address in (FRONT, PLAIN, f"127.77.0.{PODS}:{10000 + PODS}", f"127.77.0.{STREAM_POD}:{10000 + STREAM_POD}"):
            wait_for_port(address)

    # What the processes find

    def make_room(self, package):
        """The package's files at their places, on a host that may have others there."""
        run("mount", "-t", "tmpfs", "tmpfs", "/run")
        for name in ("etc", "usr/lib", "var/cache"):
            upper, work = (pathlib.Path("/run/overlay", name, part) for part in ("upper", "work"))
            upper.mkdir(parents=True)
            work.mkdir()
            run("mount", "-t", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", "overlay", f"/{name}")
        for name in ("bench", "pods", "dbus", "package", "podctl/gate", "podctl/front", "podctl-front", "podctl-gate"):
            pathlib.Path("/run", name).mkdir(parents=True)
        run("dpkg-deb", "--extract", package, "/run/package")
        lib, etc = pathlib.Path("/usr/lib/podctl"), pathlib.Path("/etc/podctl")
        run("cp", "-rT", "/run/package/usr/lib/podctl", lib)
        for name in ("http.d", "server.d", "hosts.d"):
            (etc / "front" / name).mkdir(parents=True, exist_ok=True)
        (etc / "front" / "hosts.d" / "plain.conf").write_text(PLAIN_CONF)
        (etc / "gate").mkdir(exist_ok=True)
        (etc / "gate" / "keys.json").write_text(json.dumps(
            {"keys": [{"kty": "oct", "kid": "bench", "alg": "HS256", "k": encoded(KEY).decode()}]}))
        # As front-files copies an administrator's listen.conf.
        pathlib.Path("/run/podctl/front/listen.conf").write_text(f"listen {FRONT};\n")
        cache = pathlib.Path("/var/cache/podctl-front")
        cache.mkdir()
        for path in (cache, "/run/podctl-front", "/run/podctl-gate", "/run/pods"):
            os.chown(path, NOBODY, NOBODY)
        answer = json.dumps({"rows": ["x" * 86]})
        assert len(answer) == 100
        listens = "".join(f"listen 127.77.0.{pod}:{10000 + pod};" for pod in range(1, PODS + 1))
        pathlib.Path("/run/pods/pods.conf").write_text(PODS_CONF % (listens, answer))
        pathlib.Path("/run/bus.conf").write_text(BUS_CONF)
        # nginx has a worker for each processor (worker_processes auto), and here it has one.
        pathlib.Path("/run/bench/online").write_text("0\n")
        run("mount", "--bind", "/run/bench/online", "/sys/devices/system/cpu/online")
        run("ip", "link", "set", "lo", "up")
        # As systemd sets it when it starts.
        pathlib.Path("/proc/sys/net/unix/max_dgram_qlen").write_text("512\n")

    def compile(self):
        for name, libraries in (("front-load", []), ("front-podd", ["-lsystemd"])):
            run("cc", "-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", HERE / f"{name}.c", "-o", f"/run/bench/{name}",
                *libraries)

    # Processes

    def start(self, name, command, processor, **options):
        def prepare():
            os.sched_setaffinity(0, {processor})

        # nginx and podgate are never root.
        process = subprocess.Popen(command, preexec_fn=prepare, user=NOBODY, group=NOBODY, extra_groups=[], **options) \
            if name in ("nginx", "pods", "podgate") else subprocess.Popen(command, preexec_fn=prepare, **options)
        self.processes[name] = process
        return process

    def start_podgate(self):
        """As systemd starts it: with its two sockets; it is ready when it says so."""
        if "podgate" in self.processes:
            self.processes["podgate"].kill()
            self.processes["podgate"].wait()
        sockets = []
        for kind, path in ((socket.SOCK_STREAM, GATE), (socket.SOCK_DGRAM, GATE_LOG)):
            pathlib.Path(path).unlink(missing_ok=True)
            each = socket.socket(socket.AF_UNIX, kind)
            each.bind(path)
            os.chmod(path, 0o666)
            sockets.append(each)
        sockets[0].listen(4096)
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        pathlib.Path("/run/notify").unlink(missing_ok=True)
        told.bind("/run/notify")
        os.chmod("/run/notify", 0o666)
        # Above those that they become.
        passed = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in sockets]
        script = 'exec 3<&%d 4<&%d %d<&- %d<&-; LISTEN_PID=$$ exec "$0"' % (*passed, *passed)
        self.start("podgate", ["bash", "-c", script, self.podgate_program], FRONT_CPU, pass_fds=passed, env={
            "LISTEN_FDS": "2", "NOTIFY_SOCKET": "/run/notify", "RUNTIME_DIRECTORY": "/run/podctl-gate"})
        told.settimeout(30)
        while b"READY=1" not in told.recv(4096):
            pass
        for each in (*sockets, told):
            each.close()
        for each in passed:
            os.close(each)

    def pid(self, name):
        """Of the process that serves: nginx's worker."""
        pid = self.processes[name].pid
        if name in ("nginx", "pods"):
            return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        return pid

    def resident(self, name):
        """VmRSS in kB."""
        text = pathlib.Path(f"/proc/{self.pid(name)}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])

    def descriptors(self, name):
        return len(os.listdir(f"/proc/{self.pid(name)}/fd"))

    def processor_time(self, name):
        """Nanoseconds since its start."""
        return int(pathlib.Path(f"/proc/{self.pid(name)}/schedstat").read_text().split()[0])

    # Load

    def load(self, address, requests, *options):
        """Runs front-load, under SCHED_FIFO when it is short."""
        result = subprocess.run(["/run/bench/front-load", *map(str, options), address, requests], stdout=subprocess.PIPE)
        if result.returncode != 0:
            sys.stderr.write("".join(open("/run/bench/nginx.log").readlines()[-5:]))
            sys.exit(f"front-load {address}: not all requests had the answer that they should have")
        return json.loads(result.stdout)

    def burst(self, address, requests, *options):
        served = ",".join(str(self.pid(name)) for name in ("nginx", "podgate", "pods"))
        return self.load(address, requests, "-t", 600, "-f", served, *options)


def wait_for_port(address):
    host, port = address.rsplit(":", 1)
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=5).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def serve_streams():
    """A pod that takes WebSockets and keeps them until the client leaves."""
    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
            await reader.read()
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        writer.close()

    async def main():
        server = await asyncio.start_server(serve, f"127.77.0.{STREAM_POD}", 10000 + STREAM_POD, backlog=4096)
        await server.serve_forever()

    asyncio.run(main())
