"""Debian's Prometheus and node_exporter, run on the host of the test machines: in an emulated one they would take a minute.

They are unpacked into the cache, not installed: nothing of theirs starts by itself.
"""

import contextlib
import fcntl
import http.server
import json
import pathlib
import shutil
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request

from image import cache_directory, package_sources

PACKAGES = ("prometheus", "prometheus-node-exporter")
#: Programs of the older Debian run on both.
SUITE = "12"


def programs():
    """The directory of prometheus, promtool and prometheus-node-exporter."""
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"prometheus-{SUITE}"
    with open(cache / "prometheus.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            _fetch(tree)
    return tree / "usr" / "bin"


def _fetch(tree):
    new = tree.with_name(tree.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="podctl-apt-") as work:
        work = pathlib.Path(work)
        for name in ("sources.d", "state/lists/partial", "cache/archives/partial", "packages"):
            (work / name).mkdir(parents=True)
        (work / "sources.d" / "debian.sources").write_text(package_sources(SUITE))
        (work / "state" / "status").touch()
        options = [f"-oDir::{key}={value}" for key, value in {
            "Etc::SourceList": "/dev/null", "Etc::SourceParts": work / "sources.d", "State": work / "state",
            "State::status": work / "state" / "status", "Cache": work / "cache"}.items()]
        options += ["-oAPT::Sandbox::User=", "-oAcquire::Retries=3", "-q"]
        for command in (["update"], ["download", *PACKAGES]):
            subprocess.run(["apt-get", *options, *command], cwd=work / "packages", check=True, stdout=subprocess.DEVNULL)
        for package in (work / "packages").glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, new], check=True)
    new.rename(tree)


class Page:
    """An HTTP server on a free port of 127.0.0.1 with one page, whose text and media type can be replaced."""

    def __init__(self):
        self.text, self.media_type = "", "text/plain"
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = page.text.encode()
                self.send_response(200)
                self.send_header("Content-Type", page.media_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.target = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Prometheus:
    """A running Prometheus, asked through its HTTP interface."""

    def __init__(self, url):
        self.url = url

    def get(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=60) as response:
            return json.load(response)["data"]

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as response:
                return response.status == 200
        except OSError:
            return False

    def rules(self):
        return [rule for group in self.get("rules")["groups"] for rule in group["rules"]]

    def query(self, expression):
        """The labels and the value of each series that EXPRESSION gives now; an expression with a mistake raises."""
        return [(each["metric"], float(each["value"][1])) for each in self.get("query", query=expression)["result"]]


def free_port():
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return server.server_address[1]


@contextlib.contextmanager
def scraping(targets, rules, textfiles):
    """A Prometheus that scrapes TARGETS (job: address) and a node_exporter that reads the directory TEXTFILES, and
    evaluates the file RULES, every second."""
    directory = programs()
    with tempfile.TemporaryDirectory(prefix="podctl-prometheus-") as work, contextlib.ExitStack() as running:
        ports = {"prometheus": free_port(), "node": free_port()}
        jobs = {**targets, "node": f"127.0.0.1:{ports['node']}"}
        # JSON is YAML.
        pathlib.Path(work, "prometheus.yml").write_text(json.dumps({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}
                               for job, target in jobs.items()]}))
        for command in (
            [directory / "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
             f"--collector.textfile.directory={textfiles}", f"--web.listen-address=127.0.0.1:{ports['node']}"],
            [directory / "prometheus", f"--config.file={work}/prometheus.yml", f"--storage.tsdb.path={work}/data",
             f"--web.listen-address=127.0.0.1:{ports['prometheus']}"],
        ):
            output = running.enter_context(open(pathlib.Path(work, command[0].name + ".log"), "w"))
            process = subprocess.Popen(command, cwd=work, stdout=output, stderr=subprocess.STDOUT)
            running.callback(process.wait)
            running.callback(process.kill)
        yield Prometheus(f"http://127.0.0.1:{ports['prometheus']}")
