"""The front door: https requests with a token reach the user's own pod, asleep or awake, and nothing else does."""

import json
import shlex

from fronting import FRONT_UNITS, make_certificate, responses, with_front_door
from loading import PROGRAMS, put_programs
from podctl_testing import (
    case, complaints, expect, moment, podctl, pods, token, unit, wait_until)

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
# Whose requests are all refused.
DAVE = "dave@example.com"
SELECT = "/api/v2/select?p=notes&c=1.1.1/1.1.1/1.1.1"
INSERT = "/api/v2/insert?p=notes&c=1.1.1/1.1.1/1.1.1"


def ask(machine, *requests, parallel=1, timeout=180):
    """The responses to REQUESTS (files/ask-front): (status, body) for each."""
    return [(each["status"], each["body"]) for each in answers(machine, *requests, parallel=parallel, timeout=timeout)]


def answers(machine, *requests, parallel=1, timeout=180):
    return responses(machine, requests, parallel=parallel, timeout=timeout)


def launches(machine):
    return {name: pod["generation"] for name, pod in pods(machine).items()}


def utc(machine):
    return machine.succeed("date -u +%Y-%m-%dT%H:%M:%SZ").strip()


def last_used(machine):
    return {row["user"]: row["last_used"] for row in podctl(machine, "users")}


def front_checks(machine):
    """What podctl doctor says of the front door, which never makes a host unfit for pods."""
    answer = podctl(machine, "doctor")
    expect(answer["fit"], True, json.dumps(answer))
    return [check for check in answer["checks"] if check["id"].startswith("front-")]


def requests_shown(tables, pod):
    """REQ/S and P95 of a pod in each table of podctl top --batch."""
    found, header = [], []
    for line in tables.split("\n")[:-1]:
        words = line.split()
        if words[:1] == ["POD"]:
            header = words
        elif words[:1] == [pod]:
            row = dict(zip(header, words))
            found.append((row["REQ/S"], row["P95"]))
    return found


@case(units=FRONT_UNITS, prepared=with_front_door)
def a_request_with_a_token_reaches_the_users_own_pod_and_no_other_request_does(machine):
    since, began = moment(machine), utc(machine)
    for user in (ALICE, BOB, DAVE):
        podctl(machine, f"provision {user} --cold")
    podctl(machine, f"provision {CAROL} --tier pro --cold")
    expect(launches(machine), {"pod-001": 0, "pod-002": 0})

    # The first steps of podctl-front(8): a token, and curl. The pod is cold.
    signed = machine.succeed(f"podctl token {ALICE}").strip()
    answer = machine.succeed(
        f"curl -sS --cacert /etc/podctl/front/tls.crt --resolve machine:443:127.0.0.1 --max-time 100 "
        f"-H 'Authorization: Bearer {signed}' 'https://machine{INSERT}&s=of%20alice'", timeout=120)
    expect(answer, "Inserted 8 bytes")
    expect(launches(machine), {"pod-001": 1, "pod-002": 0})

    # Twenty at once wake Carol's pod: one launch, and every one is answered.
    expect(ask(machine, *[{"user": CAROL, "path": "/api/v2/version"}] * 20, parallel=20, timeout=300),
           [(200, ask(machine, {"user": CAROL, "path": "/api/v2/version"})[0][1])] * 20)
    expect(launches(machine), {"pod-001": 1, "pod-002": 1})
    expect(ask(machine, {"user": BOB, "path": f"{INSERT}&s=of%20bob"}, {"user": CAROL, "path": f"{INSERT}&s=of%20carol"}),
           [(200, "Inserted 6 bytes"), (200, "Inserted 8 bytes")])

    # Whatever else the request says, it is the token's user whose data comes.
    tricks = [
        [["X-User-ID", BOB]], [["X-Token", "x"], ["X-Pod", "127.77.0.2:10002"], ["X-User", CAROL]],
        [["Connection", "X-User-ID, Authorization"], ["X-User-ID", CAROL]], [["X_User_ID", CAROL]],
        [["X-Gate-Status", "200"], ["X-Peer", "127.0.0.1:1"]], [["X-Forwarded-For", "127.76.0.2"]],
        [["X-Uri", "/api/v2/version"], ["X-Method", "HEAD"]],
    ]
    expect(ask(machine, *[{"user": ALICE, "path": SELECT, "fields": fields} for fields in tricks]),
           [(200, "of alice")] * len(tricks))
    expect(ask(machine, {"user": BOB, "path": SELECT}, {"user": CAROL, "path": SELECT},
               {"user": ALICE.upper(), "path": SELECT}),
           [(200, "of bob"), (200, "of carol"), (200, "of alice")])

    secret = token(machine, ALICE)
    unauthorised = [
        {"path": SELECT}, {"path": SELECT, "token": secret}, {"path": SELECT, "token": ""}, {"path": SELECT, "token": "x"},
        {"user": ALICE, "path": SELECT, "secret": "another key of 32 bytes, at least"},
        {"user": ALICE, "path": SELECT, "header": {"alg": "none"}},
        {"user": ALICE, "path": SELECT, "header": {"alg": "HS512"}},
        {"user": ALICE, "path": SELECT, "header": {"kid": "another"}},
        {"user": ALICE, "path": SELECT, "header": {"kid": None}},
        {"user": ALICE, "path": SELECT, "header": {"crit": ["exp"]}},
        {"user": ALICE, "path": SELECT, "claims": {"exp": 1}}, {"user": DAVE, "path": SELECT, "claims": {"exp": 1}},
        {"user": ALICE, "path": SELECT, "claims": {"exp": None}},
        {"user": ALICE, "path": SELECT, "claims": {"exp": "9999999999"}},
        {"user": ALICE, "path": SELECT, "claims": {"nbf": 9999999999}},
        {"user": ALICE, "path": SELECT, "claims": {"aud": "somebody else"}},
        {"user": ALICE, "path": SELECT, "claims": {"aud": []}},
        {"user": "../x", "path": SELECT}, {"user": "", "path": SELECT}, {"user": f"{ALICE}\0", "path": SELECT},
        {"path": SELECT, "token": "a." * 4000 + "a"}, {"path": SELECT, "token": "A" * 16_000},
        {"path": f"{SELECT}&token={secret}"}, {"path": SELECT, "fields": [["X-User-ID", ALICE], ["Cookie", f"token={secret}"]]},
        {"path": SELECT, "fields": [["Authorization", f"Basic {secret}"]]},
    ]
    found = answers(machine, *unauthorised)
    expect([each["status"] for each in found], [401] * len(unauthorised), json.dumps(found))
    for each in found:
        assert each["fields"]["www-authenticate"].startswith("Bearer realm="), each
        assert json.loads(each["body"])["error"], each
    # nginx answers these itself: more than one token, and a head that is too large.
    signed_twice = {"user": ALICE, "path": SELECT, "fields": [["Authorization", f"Bearer {signed}"]]}
    expect([status for status, _ in ask(machine, signed_twice, {"path": SELECT, "token": "A" * 70_000})], [400, 400])
    # A known user alone has access, and only below /api/.
    refused = {"user": "nobody@example.com", "path": SELECT}, {"user": ALICE, "path": "/"}, {"user": ALICE, "path": "/_gate"}
    expect([status for status, _ in ask(machine, *refused)], [403, 404, 404])

    # podd records who came in: it is told of admitted requests every ten seconds, and of no others.
    assert ask(machine, {"user": DAVE, "path": "/api/./v2/version"})[0][0] in (400, 404)
    used = wait_until(lambda: (found := last_used(machine)) and all(found[user] for user in (ALICE, BOB, CAROL)) and found,
                      60, what="podd knows when the users were last there")
    expect(used[DAVE], None)
    assert began <= used[ALICE] <= utc(machine), used
    # And how many requests each pod has had, a second later.
    counted = {row["pod"]: row for row in podctl(machine, "top")}["pod-002"]
    assert 21 <= counted["requests"] == counted["request_seconds"][-1]["count"], counted
    expect(podctl(machine, "status pod-002")["requests"], counted["requests"])
    watching = machine.start("exec podctl top --batch --delay 2")
    wait_until(lambda: requests_shown(watching.stdout, "pod-002"), 60, what="a table of podctl top")
    expect(requests_shown(watching.stdout, "pod-002")[-1][1], "-")
    expect([status for status, _ in ask(machine, *[{"user": CAROL, "path": "/api/v2/version"}] * 4)], [200] * 4)
    # Each table is about ten seconds.
    shown = wait_until(lambda: [row for row in requests_shown(watching.stdout, "pod-002") if row[1] != "-"], 60,
                       what="podctl top shows requests and their latency")[0]
    watching.signal()
    watching.wait(30)
    assert 0 < float(shown[0].lstrip("<")) < 1000 and shown[1][0].isdigit(), shown

    # No path but the simplest spelling of it reaches a pod: nginx decides by one and would send the other.
    spellings = [
        "/api/./v2/version", "/api/v2/../v2/version", "/x/../api/v2/version", "/api//v2/version", "//api/v2/version",
        "/api/%76%32/version", "/api/v2%2fversion", "/api/v2/%2e%2e/v2/version", "/api/v2/version;x=y", "/api/v2/%2576ersion",
        "/api/v2/version%00", "/api/v2/version%", "/api/v2/%c0%af",
    ]
    statuses = [status for status, _ in ask(machine, *[{"user": ALICE, "path": path} for path in spellings])]
    assert set(statuses) <= {400, 404}, list(zip(spellings, statuses))
    # A host's name in the request line changes nothing: nginx sends the path alone.
    expect(ask(machine, {"user": ALICE, "path": f"http://evil.example.com{SELECT}"}), [(200, "of alice")])

    # A browser's token: in a cookie or as a subprotocol, and only from a page that may send it. Other cookies go on.
    machine.put("/etc/podctl/podgate.conf.d/browsers.conf",
                "[Gate]\nTokenCookie=token\nAllowedOrigins=https://app.example.com https://127.0.0.1\n")
    machine.succeed("systemctl reload podgate.service")
    cookie, subprotocol = ["Cookie", f"a=b; token={signed}"], ["Sec-WebSocket-Protocol", f"podctl.bearer.{signed}"]
    allowed, another = ["Origin", "https://app.example.com"], ["Origin", "https://evil.example.com"]
    own_page = ["Sec-Fetch-Site", "same-origin"]
    wait_until(lambda: ask(machine, {"path": SELECT, "fields": [cookie, allowed]}) == [(200, "of alice")], 30,
               what="the settings for browsers are read")
    found = answers(machine, *[{"path": SELECT, "fields": fields} for fields in (
        [subprotocol, allowed], [cookie, own_page],
        [cookie], [subprotocol], [cookie, another], [subprotocol, another], [cookie, another, own_page],
        [cookie, ["Sec-Fetch-Site", "cross-site"]], [cookie, subprotocol, allowed],
        [cookie, allowed, ["Authorization", f"Bearer {signed}"]])])
    expect([each["status"] for each in found], [200] * 2 + [403] * 6 + [400] * 2, json.dumps(found))
    assert "AllowedOrigins=" in json.loads(found[2]["body"])["error"], found[2]

    # doctor finds nothing to mend, and then what an administrator may have forgotten: each with the command that mends it.
    title = "front door: certificate for machine until "
    checks = front_checks(machine)
    expect([check for check in checks if check["status"] != "ok"], [])
    expect({check["id"] for check in checks}, {
        "front-units", "front-keys", "front-certificate", "front-permissions", "front-address", "front-limits", "front-users"})
    assert [check for check in checks if check["what"].startswith(title)], checks
    make_certificate(machine, "renewed", days=3)
    machine.put("/etc/podctl/podd.conf.d/users.conf", "[Podd]\nFrontUsers=www-data\n")
    machine.succeed("chmod 644 /etc/podctl/front/tls.key && chgrp root /etc/podctl/gate/keys.json")
    wrong = [(check["id"], check["what"], check["mend"]) for check in front_checks(machine) if check["status"] == "advice"]
    expect(sorted(name for name, _, _ in wrong), [
        "front-certificate", "front-certificate", "front-permissions", "front-permissions", "front-users"])
    for words in ("certificate for renewed expires on", "nginx still has", "podgate may not read", "Every user",
                  "FrontUsers= in podd.conf does not name podctl-front"):
        assert any(words in what for _, what, _ in wrong), (words, wrong)
    # As it says.
    machine.succeed("chmod 600 /etc/podctl/front/tls.key && chgrp podctl-gate /etc/podctl/gate/keys.json && "
                    "rm /etc/podctl/podd.conf.d/users.conf && systemctl reload podctl-front.service", timeout=60)
    expect([check["id"] for check in front_checks(machine) if check["status"] != "ok"], ["front-certificate"])

    # No token is in any log, neither the clients' nor the pods'.
    journal = machine.succeed("journalctl -b -o cat --no-pager")
    assert secret not in journal and signed.split(".")[2] not in journal, "a token is in the journal"
    expect(complaints(machine, since), [])

    # podgate is killed with questions in hand, for podd does not answer: they are asked again.
    machine.succeed("systemctl restart podgate.service && systemctl kill --signal=STOP podd.service", timeout=60)
    asked = machine.start("exec /payload/files/ask-front --parallel 20",
                          input=json.dumps([{"user": ALICE, "path": SELECT}] * 20))
    in_hand = "ss -xH state established src /run/podctl/gate/auth | wc -l"
    wait_until(lambda: int(machine.succeed(in_hand)) >= 5, 30, 0.05, what="podgate has questions in hand")
    machine.succeed("systemctl kill --signal=KILL podgate.service && systemctl kill --signal=CONT podd.service", timeout=60)
    expect([(each["status"], each["body"]) for each in json.loads(asked.wait(120).stdout)], [(200, "of alice")] * 20)


@case(once="13", units=FRONT_UNITS, prepared=with_front_door)
def the_front_door_limits_each_user_and_what_is_withdrawn_is_withdrawn_at_once(machine):
    machine.put("/etc/podctl/tiers/free.conf.d/rate.conf", "[Tier]\nRequestRate=100/min\nRequestBurst=20\n")
    machine.succeed("systemctl reload podd.service")
    for user in (ALICE, BOB):
        podctl(machine, f"provision {user}", timeout=180)
    version = {"user": ALICE, "path": "/api/v2/version"}
    began = float(machine.succeed("date +%s.%N"))
    found = answers(machine, *[{**version, "path": f"/api/v2/version?{number}"} for number in range(60)], parallel=20)
    took = float(machine.succeed("date +%s.%N")) - began
    passed = sum(each["status"] == 200 for each in found)
    expect({each["status"] for each in found}, {200, 429})
    assert 20 <= passed <= 21 + took * 100 / 60, (passed, took)
    for each in found:
        if each["status"] == 429:
            expect((each["fields"]["retry-after"], json.loads(each["body"])), ("1", {"error": "too many requests"}))
    # Another user is not touched.
    expect([status for status, _ in ask(machine, *[{**version, "user": BOB}] * 10)], [200] * 10)

    # Suspended: refused from the next request on, and let in again after a resume, with the data.
    expect(ask(machine, {"user": BOB, "path": f"{INSERT}&s=kept"})[0][0], 200)
    machine.succeed(f"podctl suspend {BOB}", timeout=180)
    expect(ask(machine, {"user": BOB, "path": SELECT})[0][0], 403)
    machine.succeed(f"podctl resume {BOB}", timeout=180)
    expect(ask(machine, {"user": BOB, "path": SELECT}), [(200, "kept")])

    # A pod that an administrator stopped refuses at once, and the answer says when to come again.
    machine.succeed("podctl stop pod-001", timeout=180)
    stopped = answers(machine, {"user": BOB, "path": SELECT})[0]
    expect((stopped["status"], stopped["fields"]["retry-after"]), (503, "30"))
    machine.succeed("podctl start pod-001", timeout=180)

    # podd away: who is known is served. podgate away: systemd holds the requests until it is back.
    machine.succeed("systemctl stop podd.service", timeout=60)
    expect(ask(machine, {"user": BOB, "path": SELECT}), [(200, "kept")])
    machine.succeed("systemctl start podd.service && systemctl kill --signal=KILL podgate.service", timeout=60)
    expect(ask(machine, *[{"user": BOB, "path": SELECT}] * 5), [(200, "kept")] * 5)

    # A key that is gone is worth nothing after a reload; a file that cannot be read changes nothing.
    machine.succeed("cp -a /etc/podctl/gate/keys.json /run/keys.json && echo '{' > /etc/podctl/gate/keys.json && "
                    "systemctl reload podgate.service")
    signed = machine.succeed("cp -a /run/keys.json /etc/podctl/gate/keys.json && podctl token " + BOB).strip()
    expect(ask(machine, {"path": SELECT, "token": signed}), [(200, "kept")])
    machine.succeed("sed -i 's/\"first\"/\"second\"/' /etc/podctl/gate/keys.json && systemctl reload podgate.service")
    wait_until(lambda: ask(machine, {"path": SELECT, "token": signed})[0][0] == 401, 30, what="the key is gone")
    expect(ask(machine, {"user": BOB, "path": SELECT}), [(200, "kept")])

    machine.succeed(f"podctl deprovision {BOB}", timeout=180)
    expect(ask(machine, {"user": BOB, "path": SELECT})[0][0], 403)

    security = {name: float(machine.succeed(
        f"systemd-analyze security --no-pager {name}.service | sed -n 's/.*exposure level[^:]*: *\\([0-9.]*\\).*/\\1/p'"))
        for name in ("podgate", "podctl-front")}
    assert security["podgate"] <= 1.5, security


STREAMING = f"""\
[Workload]
ExecStart=/usr/bin/python3 -ES {PROGRAMS}/streaming
Type=exec
Listen=socket
Probe=tcp
ReloadSignal=SIGHUP
TimeoutStopSec=2s
"""
STREAMS_TIER = "[Tier]\nWorkload=streaming\nUsersPerPod=5\nConnectionsMax=2\nMemoryMax=128M\nMemoryHigh=112M\nTasksMax=64\n"


WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13")


def stream(machine, signed, *fields, port=443):
    """Opens a stream, waits until it flows, and returns the running command. SIGNED is None where the fields have it."""
    words = ["curl", "-sikN", "--http1.1", "--max-time", "300"]
    for field in (() if signed is None else (f"Authorization: Bearer {signed}",)) + (fields or ("Accept: text/event-stream",)):
        words += ["-H", field]
    job = machine.start(shlex.join([*words, f"https://127.0.0.1:{port}/api/events"]))
    wait_until(lambda: job.stdout.count("data: more") > 3, 60, what="a stream that flows")
    return job


@case(once="12", units=FRONT_UNITS, prepared=with_front_door)
def an_open_stream_counts_and_ends_when_its_user_or_its_token_loses_access_and_no_other_one_does(machine):
    put_programs(machine, "streaming")
    machine.put("/etc/podctl/workloads/streaming.conf", STREAMING)
    machine.put("/etc/podctl/tiers/streams.conf", STREAMS_TIER)
    machine.put("/etc/podctl/podgate.conf.d/leeway.conf", "[Gate]\nLeewaySec=0\nAllowedOrigins=https://app.example.com\n")
    machine.succeed("systemctl reload podd.service && systemctl try-reload-or-restart podgate.service")
    for user in (ALICE, BOB, CAROL):
        podctl(machine, f"provision {user} --tier streams", timeout=180)

    def signed(user, span="1h"):
        return machine.succeed(f"podctl token {user} --ttl {span}").strip()

    # A stream is asked for once, and on a busy host podgate may need longer for its start than nginx waits.
    machine.succeed("systemctl start podgate.service", timeout=120)
    of_browser = signed(ALICE)
    events = stream(machine, signed(ALICE))
    switched = stream(machine, None, *WEBSOCKET, "Origin: https://app.example.com", "Cookie: a=b",
                      f"Sec-WebSocket-Protocol: podctl, podctl.bearer.{of_browser}, v2")
    of_bob = stream(machine, signed(BOB))
    # A browser wants one of the subprotocols that it offered. The program gets what else the browser sent, and no token.
    for wanted in ("Sec-WebSocket-Protocol: podctl\r\n", "Cookie: a=b\r\n", "Sec-WebSocket-Protocol: v2\r\n"):
        assert wanted in switched.stdout, switched.stdout[:2000]
    assert of_browser not in switched.stdout, switched.stdout[:2000]
    short = stream(machine, signed(CAROL, "20s"))
    # One that ended by itself is forgotten: its port may be another client's by now.
    closed = stream(machine, signed(CAROL))
    closed.signal()
    closed.wait(30)

    # Two at once, and Carol has one again.
    def third(user):
        return answers(machine, {"path": "/api/elsewhere", "token": signed(user)})[0]

    refused = third(ALICE)
    expect((refused["status"], json.loads(refused["body"]), refused["fields"]["retry-after"]),
           (429, {"error": "too many connections at once"}, "1"))
    wait_until(lambda: third(CAROL)["status"] == 200, 30, what="the end of Carol's stream is known")
    # No pod sends nginx to podgate's answers, in which its users' tokens are.
    assert "x-token" not in third(BOB)["fields"], third(BOB)

    # The next podgate knows the streams of this one.
    machine.succeed("systemctl kill --signal=KILL podgate.service", timeout=60)
    expect(third(ALICE)["status"], 429)
    machine.succeed(f"podctl suspend {ALICE}", timeout=180)
    events.wait(60)
    switched.wait(60)
    short.wait(60)
    assert of_bob.running, of_bob.stdout[-200:]

    # The key is gone, and with it what its tokens have opened.
    machine.succeed("sed -i 's/\"first\"/\"second\"/' /etc/podctl/gate/keys.json && systemctl reload podgate.service")
    of_bob.wait(60)
    last = stream(machine, signed(CAROL))
    # While no podgate hears of it.
    machine.succeed(f"systemctl stop podgate.service && podctl deprovision {CAROL} && systemctl start podgate.service",
                    timeout=240)
    last.wait(60)
    wait_until(lambda: machine.run("ss -Htn state established '( sport = :443 )'").stdout == "", 60, what="none left")


# As podctl-front(8) has it.
BEHIND = """\
map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
server {
    listen 443 ssl;
    ssl_certificate /etc/podctl/front/tls.crt;
    ssl_certificate_key /etc/podctl/front/tls.key;
    location /api/ {
        proxy_pass http://unix:/run/podctl-front/http:;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_read_timeout 1h;
        proxy_buffering off;
        client_max_body_size 100m;
    }
}
"""


@case(once="13", units=(*FRONT_UNITS, "nginx.service"), prepared=with_front_door)
def users_have_host_names_certificates_are_renewed_and_another_nginx_may_have_port_443(machine):
    # Before any request.
    wait_until(lambda: unit(machine, "podgate.service", "ActiveState") == {"ActiveState": "active"}, 60, what="podgate")
    put_programs(machine, "streaming")
    machine.put("/etc/podctl/workloads/streaming.conf", STREAMING)
    machine.put("/etc/podctl/tiers/streams.conf", STREAMS_TIER)
    machine.put("/etc/podctl/podgate.conf.d/hosts.conf", "[Gate]\nUserOfHost=${LABEL}@example.com\n")
    machine.succeed("systemctl reload podd.service podgate.service")
    for user in (ALICE, BOB):
        podctl(machine, f"provision {user}", timeout=180)
    podctl(machine, f"provision {CAROL} --tier streams", timeout=180)

    # A host name for each user, with all paths, and for nobody else.
    machine.put("/etc/podctl/front/hosts.d/pods.conf",
                "server {\n    server_name *.pods.example.com;\n    include /usr/lib/podctl/front-hosts.conf;\n}\n")
    machine.succeed("systemctl reload podctl-front.service")

    def at(host, user=ALICE, path="/api/v2/version"):
        return {"user": user, "path": path, "fields": [["Host", host]]}

    wait_until(lambda: ask(machine, at("bob.pods.example.com"))[0][0] == 403, 30, what="hosts have users")
    found = answers(
        machine, at("alice.pods.example.com"), at("ALICE.pods.example.com:443"), at("bob.pods.example.com", BOB),
        at("machine"), at("pods.example.com"),
        at("bob.pods.example.com"), at("alice.pods.example.com", BOB), at("a.alice.pods.example.com"),
        at("nobody.pods.example.com"), {**at("alice.pods.example.com"), "path": "http://bob.pods.example.com/api/v2/version"},
        {"path": "/api/v2/version", "fields": [["Host", "alice.pods.example.com"]]})
    expect([each["status"] for each in found], [200] * 5 + [403] * 5 + [401], json.dumps(found))
    expect(json.loads(found[5]["body"]), {"error": "this host name is another user's"})
    # The pod answers, which has nothing there either, but says so in its own words.
    nothing = ask(machine, at("alice.pods.example.com", path="/"), at("machine", path="/"))
    assert nothing[0][1] != nothing[1][1], nothing
    assert json.loads(nothing[1][1]) == {"error": "there is nothing here"}, nothing

    # A new certificate, by the documented command, while requests go on.
    def certificate():
        return machine.succeed("openssl s_client -connect 127.0.0.1:443 < /dev/null 2> /dev/null | "
                               "openssl x509 -noout -subject | sed 's/.*CN *= *//'").strip()

    expect(certificate(), "machine")
    make_certificate(machine, "renewed")
    machine.put("/run/requests", json.dumps([{"user": user, "path": "/api/v2/version"} for user in (ALICE, BOB) * 4]))
    going_on = machine.start(
        "until [ -e /run/renewed ]; do /payload/files/ask-front --parallel 4 < /run/requests || exit; echo; done")
    wait_until(lambda: "\n" in going_on.stdout, 120, what="requests that go on")
    machine.succeed("systemctl reload podctl-front.service")
    wait_until(lambda: certificate() == "renewed", 60, what="the new certificate")
    machine.succeed("touch /run/renewed")
    going_on.wait(180)
    expect({each["status"] for line in going_on.stdout.splitlines() for each in json.loads(line)}, {200})

    # Behind another nginx that has port 443, and beside it on a port of its own.
    machine.put("/etc/podctl/front/listen.conf",
                "listen unix:/run/podctl-front/http;\nlisten 8443 ssl;\n"
                "ssl_certificate /run/podctl/front/tls.crt;\nssl_certificate_key /run/podctl/front/tls.key;\n")
    machine.put("/etc/podctl/front/server.d/behind.conf", "set_real_ip_from unix:;\nreal_ip_header X-Forwarded-For;\n")
    machine.put("/etc/nginx/conf.d/podctl.conf", BEHIND)
    machine.succeed("systemctl restart podctl-front.service && systemctl restart nginx.service", timeout=120)
    expect([status for status, _ in ask(machine, *[{"user": ALICE, "path": "/api/v2/version", "port": port}
                                                   for port in (443, 8443)])], [200, 200])
    signed = machine.succeed(f"podctl token {CAROL}").strip()
    behind, beside = stream(machine, signed, *WEBSOCKET), stream(machine, signed, port=8443)
    for wanted in ("Upgrade: websocket\r\n", "X-Forwarded-Proto: https\r\n", "X-Forwarded-For: 127.0.0.1\r\n"):
        assert wanted in behind.stdout, behind.stdout[:2000]
    machine.succeed(f"podctl suspend {CAROL}", timeout=180)
    behind.wait(60)
    beside.wait(60)
