"""apt installs, removes, installs again and purges. Purging leaves the host as it was."""

from podctl_testing import (
    agrees, case, curl, expect, install, pods, podctl, token, wait_until)

#: Files that the package manager, the journal and the harness change.
NOT_OURS = r"""
    /proc /sys /dev /tmp /payload /var/log /var/tmp /run/log /var/lib/dpkg /var/lib/apt /var/cache/apt
    /var/cache/debconf /var/cache/man /run/systemd/journal /run/udev /run/systemd/units
    /var/lib/systemd/random-seed /var/lib/systemd/catalog /run/systemd/inaccessible /root
""".split()


def everything(machine):
    """Every file of the host with kind, mode, owner and content, and the state of systemd, nss and nft."""
    pruned = " -o ".join(f"-path {path}" for path in NOT_OURS)
    # Without the times of directories, which change when a file in them comes and goes.
    files = machine.succeed(
        rf"find / \( {pruned} \) -prune -o \( -type f -printf '%p %y %m %U:%G %s\n' -o "
        r"-printf '%p %y %m %U:%G %l\n' \) | sort", timeout=300)
    config = machine.succeed("find /etc -type f ! -name '*-' -print0 | sort -z | xargs -0 sha256sum")
    known = machine.succeed("""
        getent passwd; getent group
        systemctl list-unit-files --no-legend --plain 'pod*' | awk '{print $1, $2}'
        systemctl list-units --all --no-legend --plain 'pod*' 'org.podctl*'
        systemctl list-units --failed --no-legend --plain
        nft list tables
        ls /run/systemd/units | grep pod- || true
        busctl --list --activatable --no-legend | awk '{print $1}' | grep podctl || true
    """)
    return {*files.splitlines(), *config.splitlines(), *known.splitlines()}


def settled(lines):
    """The lines without those that change on an idle host."""
    # ask-password-block is systemctl's, when a maintainer script starts a unit on a terminal. podgate has polkit started,
    # which goes on afterwards.
    moving = ("/run/systemd/propagate/polkit.service", "/run/systemd/transient", "/run/systemd/ask-password-block", "/run/utmp", "/etc/group- ",
              "/etc/gshadow- ", "/etc/passwd- ", "/etc/shadow- ", "/etc/subuid- ", "/etc/subgid- ", "/etc/.pwd.lock")
    return {line for line in lines if not line.startswith(moving)}


@case(package=False)
def the_package_comes_and_goes_and_a_purge_leaves_nothing(machine):
    if machine.run("ls /payload/repo").status != 0:
        return
    before = settled(everything(machine))
    install(machine)
    expect(machine.succeed("systemctl is-enabled podd.service").strip(), "enabled")
    wait_until(lambda: machine.run("systemctl is-active -q podd.service").status == 0, 60, what="podd runs")
    placed = {user: podctl(machine, f"provision {user} --tier {tier}", timeout=180)
              for user, tier in (("alice@example.com", "free"), ("bob", "pro"))}
    alice = placed["alice@example.com"]
    secret = token(machine, "alice@example.com")
    status, _ = curl(machine, alice, "/api/v2/insert?p=kept&c=1.1.1/1.1.1/1.1.1&s=kept", user_token=secret)
    expect(status, 200)

    machine.succeed("DEBIAN_FRONTEND=noninteractive apt-get -q -y remove podctl < /dev/null", timeout=300)
    expect(machine.succeed("systemctl list-units --all --no-legend --plain 'pod-*'"), "", "units left")
    expect(machine.run("pgrep -u 1900000001,1900000002").stdout, "", "processes left")
    assert machine.run("nft list table inet podctl").status != 0, "the packet filter is left"
    assert machine.run("test -f /var/lib/podctl/podctl.db").status == 0, "the placement is gone"
    expect(machine.succeed("ls -A /run/userdb").split(), [], "user records left")

    # The front door needs podctl, and brings it along.
    install(machine, "podctl-gate")
    expect(machine.succeed("systemctl is-enabled podgate.socket podctl-front.service").split(), ["enabled"] * 2)
    expect(machine.succeed("stat -c '%a %U:%G' /etc/podctl/gate/keys.json").strip(), "640 root:podctl-gate")
    wait_until(lambda: machine.run("podctl --json pods").status == 0, 60, what="podd answers")
    wait_until(lambda: {row["state"] for row in pods(machine).values()} == {"ready"}, 120, what="pods are back")
    expect({row["user"] for row in podctl(machine, "users")}, set(placed))
    expect(curl(machine, alice, "/api/v2/select?p=kept&c=1.1.1/1.1.1/1.1.1", user_token=secret), (200, "kept"))
    agrees(machine)
    expect(machine.succeed("journalctl -b -o cat -p warning -u podd.service"), "", "podd's warnings")

    purge = machine.run("DEBIAN_FRONTEND=noninteractive apt-get -q -y purge podctl podctl-gate < /dev/null", timeout=300)
    expect(purge.status, 0, purge.stderr)
    for word in ("warning", "not empty", "annot", "rror"):
        assert word not in purge.stdout + purge.stderr, purge.stdout + purge.stderr
    after = settled(everything(machine))
    expect((sorted(after - before), sorted(before - after)), ([], []), "what a purge left and took")
