"""podctl metrics, read by Debian's own Prometheus and node_exporter."""

import json
import pathlib
import re
import subprocess
import tempfile

from fronting import with_front_door
from podctl_testing import UNITS, case, expect, pods, podctl, refused, wait_until
from prometheus import Page, programs, scraping

FILES = "/usr/share/podctl/prometheus"
ALICE, VERSION = "alice@example.com", "/api/v2/version"
TEXTFILE = "/var/lib/prometheus/node-exporter/podctl.prom"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def expressions(dashboard):
    """The queries of a dashboard, as Grafana would send them for all hosts."""
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return [each.replace("$instance", ".+").replace("$__rate_interval", "1m") for each in found]


def series(prometheus, job):
    """The names and labels of a job's series, without where they come from. node_exporter spells bounds in its own way."""
    return {tuple(sorted((name, float(value) if name == "le" else value)
                         for name, value in labels.items() if name not in ("job", "instance")))
            for labels, _ in prometheus.query(f'{{__name__=~"podctl_.+",job="{job}"}}')}


# What differs between the two Debians is little of it: text, and programs of the host.
@case(once="13", units=(*UNITS, "podgate.service", "podctl-front.service", "podgate-metrics@*", "podctl-metrics.service"),
      prepared=with_front_door)
def prometheus_reads_the_metrics_and_every_query_of_the_dashboard_and_of_the_rules_has_an_answer(machine):
    podctl(machine, f"provision {ALICE}")
    place = podctl(machine, "provision bob@example.com --tier pro --cold")
    machine.succeed(
        f"curl -sS -o /dev/null --max-time 100 --interface {place['front_address']} "
        f"http://{place['address']}:{place['port']}/api/v2/version", timeout=120)
    expect(pods(machine)["pod-002"]["state"], "ready")
    text = wait_until(lambda: "podctl_data_bytes{" in (said := machine.succeed("podctl metrics")) and said, 60,
                      what="the first count of data")
    for line in ('podctl_pods{tier="free",state="ready"} 1', 'podctl_users{tier="pro",status="active"} 1',
                 'podctl_launch_seconds_count{tier="free"} 1', 'podctl_wake_seconds_count{from="cold"} 1',
                 'podctl_pod_users{pod="pod-002",tier="pro"} 1', "podctl_up 1"):
        assert f"{line}\n" in text, text
    assert "example.com" not in text and text.endswith("# EOF\n"), text
    assert "pod=" not in machine.succeed("podctl metrics --summary")
    families = {each["name"]: each for each in podctl(machine, "metrics")}
    expect((families["podctl_up"]["samples"][0]["value"], families["podctl_launch_seconds"]["type"]), (1, "histogram"))

    # The front door's port has podgate's figures before podd's. It was switched on while podgate runs.
    signed = machine.succeed(f"podctl token {ALICE}").strip()
    asked = [{"token": signed, "path": VERSION}] * 2 + [{"path": VERSION}, {"user": "nobody", "path": VERSION}]
    answers = json.loads(machine.succeed("/payload/files/ask-front --parallel 1", input=json.dumps(asked).encode(), timeout=180))
    expect([each["status"] for each in answers], [200, 200, 401, 403])
    machine.succeed("systemctl start podgate-metrics.socket")
    served = machine.succeed("curl -sS -D /run/head --max-time 60 http://127.0.0.1:9977/metrics", timeout=90)
    assert f"Content-Type: {OPENMETRICS}" in machine.succeed("cat /run/head"), served
    for line in ('podgate_requests_total{status="200",reason="admitted"} 2', "podgate_up 1",
                 'podgate_requests_total{status="401",reason="no-token"} 1', 'podgate_tokens_total{found="cached"} 1',
                 'podgate_requests_total{status="403",reason="no-access"} 1', "podgate_known_users 2", "podctl_up 1",
                 "podgate_authorisation_seconds_count 4"):
        assert f"{line}\n" in served, served
    end = machine.succeed("date +%s -d \"$(openssl x509 -in /etc/podctl/front/tls.crt -noout -enddate | cut -d= -f2)\"")
    assert f"podgate_certificate_expiry_time_seconds {end.strip()}\n" in served, (end, served)
    assert "example.com" not in served and served.endswith("\n# EOF\n") and served.count("# EOF") == 1, served
    # journalctl fails where no unit of the pattern has an entry.
    expect(machine.run("journalctl -q -o cat -u 'podgate-metrics@*'").stdout, "")

    # The timer fills node_exporter's directory, and the journal has no line for each time.
    machine.succeed(f"mkdir -p $(dirname {TEXTFILE}) && systemctl start podctl-metrics.timer")
    wait_until(lambda: machine.run(f"grep -q '^podctl_up 1$' {TEXTFILE}").status == 0, 60, what=TEXTFILE)
    written = machine.succeed(f"stat -c %a {TEXTFILE} && cat {TEXTFILE}")
    assert written.startswith("644\n") and written.endswith("# EOF\n"), written
    expect(machine.succeed("journalctl -q -o cat -u podctl-metrics.service"), "")

    with tempfile.TemporaryDirectory(prefix="podctl-metrics-") as work:
        work = pathlib.Path(work)
        rules, textfiles = work / "podctl.rules.yml", work / "textfiles"
        rules.write_text(machine.succeed(f"cat {FILES}/podctl.rules.yml"))
        dashboard = json.loads(machine.succeed(f"cat {FILES}/podctl-dashboard.json"))
        textfiles.mkdir()
        (textfiles / "podctl.prom").write_text(written.partition("\n")[2])
        subprocess.run([programs() / "promtool", "check", "rules", rules], check=True, stdout=subprocess.PIPE)
        page = Page()
        page.text, page.media_type = served, OPENMETRICS
        with scraping({"podctl": page.target}, rules, textfiles) as prometheus:
            wait_until(prometheus.is_ready, 60, what="Prometheus")
            # A rate needs two scrapes.
            wait_until(lambda: prometheus.query('count_over_time(podctl_up[1m]) > 2')[1:], 60, what="scrapes of both")
            for target in prometheus.get("targets")["activeTargets"]:
                expect((target["health"], target["lastError"]), ("up", ""), target["scrapeUrl"])
            expect(series(prometheus, "node"), series(prometheus, "podctl"))

            queries = expressions(dashboard)
            wait_until(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"}, 60, what="that all rules are fine")
            for rule in prometheus.rules():
                # What the rule compares is there, although the comparison may have no result.
                queries.append(re.sub(r" (==|>|<) [0-9.e+]+$", "", rule["query"]))
            assert len(queries) > 30, queries
            expect([query for query in queries if not prometheus.query(query)], [])

            # podd was stopped: the timer does not start it, and the file says so.
            machine.succeed("systemctl stop podd.service")
            refused(machine, "podctl metrics", 69, "podd is not reachable")
            machine.succeed("systemctl start podctl-metrics.service")
            said = machine.succeed(f"cat {TEXTFILE}")
            assert "\npodctl_up 0\n" in said and "podctl_pods" not in said, said
            expect(machine.run("systemctl is-active podd.service").stdout.strip(), "inactive")
            (textfiles / "podctl.prom").write_text(said)
            alerts = wait_until(lambda: prometheus.get("alerts")["alerts"], 60, what="an alert")
            expect([(each["labels"]["alertname"], each["labels"]["job"]) for each in alerts], [("PodctlDown", "node")])
