"""By default journald opens a file for each ordinary user id that logs, and each pod has its own user id."""

from podctl_testing import case, podctl, wait_until

TIERS = ("free", "basic", "pro", "enterprise")


def written(machine, matches):
    """The number of entries that MATCHES finds, after all messages have been written to the disk."""
    machine.succeed("journalctl --sync")
    return len(machine.run(f"journalctl -b -q --no-pager -o cat {matches}").stdout.splitlines())


def journal_files(machine, pattern):
    return machine.succeed(
        f"find /var/log/journal /run/log/journal -name '{pattern}' -printf '%f\\n'").split()


@case()
def pods_log_to_the_system_journal_and_have_no_files_of_their_own(machine):
    for tier in TIERS:
        placed = podctl(machine, f"provision someone@{tier} --tier {tier}")
        wait_until(lambda: written(machine, f"_SYSTEMD_UNIT={placed['unit']} SYSLOG_IDENTIFIER={placed['pod']}"),
                   timeout=60, what=f"output of {placed['pod']}")
    files = journal_files(machine, "user-19*")
    assert not files, files


@case()
def users_have_journal_files_of_their_own_again_after_removal(machine):
    visitor = machine.succeed("id -u visitor").strip()

    def logs(line):
        machine.succeed(f"logger -t visitor {line}", user="visitor")
        wait_until(lambda: written(machine, f"_UID={visitor} --grep {line}"), timeout=60, what=line)
        return journal_files(machine, f"user-{visitor}*")

    files = logs("with")
    assert not files, files
    machine.succeed("apt-get -q -y remove podctl", timeout=300)
    files = logs("without")
    assert files, "journald still has the package's settings"
