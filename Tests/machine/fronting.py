"""What cases of podctl-gate share. They are prepared with `@case(prepared=with_front_door)`."""

import json

from podctl_testing import UNITS, expect, install, unit

FRONT_UNITS = (*UNITS, "podgate.service", "podgate.socket", "podctl-front.service")


def responses(machine, requests, parallel=1, patience=120, timeout=180):
    """The responses to REQUESTS (files/ask-front). PATIENCE: seconds for each connection and each wait of its."""
    output = machine.succeed(f"/payload/files/ask-front --parallel {parallel} --timeout {patience}",
                             input=json.dumps(requests), timeout=timeout)
    return json.loads(output)


def make_certificate(machine, name, days=90):
    machine.succeed(
        f"cd /etc/podctl/front && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days {days} "
        f"-subj /CN={name} -keyout tls.key.new -out tls.crt.new 2>&1 && mv tls.key.new tls.key && mv tls.crt.new tls.crt",
        timeout=180)


def with_front_door(machine):
    """Installs podctl-gate, and does what podctl-front(8) asks of an administrator: a certificate and its key."""
    install(machine, "podctl-gate")
    # Without them there is nothing to listen with; that is no failure.
    expect(unit(machine, "podctl-front.service", "ActiveState", "ConditionResult"),
           {"ActiveState": "inactive", "ConditionResult": "no"})
    make_certificate(machine, "machine")
    # The first start of polkit may take longer on a busy host than podgate waits for podd.
    machine.succeed("systemctl start polkit.service podctl-front.service podgate.service", timeout=180)
