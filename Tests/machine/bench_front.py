"""What the front door costs: the part of the bench that runs as root on the host itself, beside the machine.

Tests/bench/front measures; here is what is to be reached. docs/figures.md says what each figure includes.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

from payload import SOURCE

PROGRAM = SOURCE / "Tests" / "bench" / "front"


def best_third(values):
    """What the host can do, if others leave it alone: of rates the highest."""
    return sorted(values, reverse=True)[:max(1, len(values) // 3)]


def at_least(part):
    return {"target": f"at least {part} times", "met": lambda row: row.ratio >= part}


def the_same(row):
    return max(row.ours) <= max(row.theirs)


class Front:
    """Mixed into the bench: `self.add` takes a row, `self.details` goes to bench.json as it is."""

    def front(self):
        packages = [path for path in self.packages if pathlib.Path(path).name.startswith("podctl-gate_")]
        lacking = [f"{name} is not installed (apt-get install {name})" for name, program in (
            ("nginx", "/usr/sbin/nginx"), ("dbus-daemon", "dbus-daemon")) if shutil.which(program) is None]
        if os.geteuid() != 0:
            lacking.append("it needs root")
        if not packages:
            lacking.append("no podctl-gate package is there ('make deb')")
        if lacking:
            print(f"front: left out: {'; '.join(lacking)}", file=sys.stderr)
            return
        values = json.loads(subprocess.run([PROGRAM, "--rounds", str(max(9, self.rounds // 2)), packages[0]],
                                           check=True, stdout=subprocess.PIPE).stdout)
        self.details["front"] = values
        self.rates(values)
        self.gates_memory(values)
        self.what_stays(values["endurance"])

    def rates(self, values):
        requests, p99, asked = values["requests"], values["p99_us"], values["authorisations"]
        self.add("front door: requests, one processor", "1/s", best_third(requests["front"]),
                 "the same nginx to the same pods without it", best_third(requests["plain"]), **at_least(0.66))
        ours, theirs = (statistics.median(sorted(p99[name])[:max(1, len(p99[name]) // 3)]) for name in ("front", "plain"))
        self.add(f"front door: p99 added at {p99['rate']} requests/s", "us", [ours - theirs], target="at most 250 us",
                 met=lambda row: row.median <= 250)
        stub = best_third(asked["stub"])
        self.add("podgate: authorisations, known tokens", "1/s", best_third(asked["known"]), "nginx that says 204", stub,
                 **at_least(0.7))
        self.add("podgate: authorisations, new tokens", "1/s", best_third(asked["new"]), "nginx that says 204", stub,
                 **at_least(0.35))

    def gates_memory(self, values):
        for what, key, most in (("idle", "resident_idle", 14), ("100,000 users and tokens known", "resident_known", 48)):
            self.add(f"podgate resident, {what}", "MB", [values[key] / 1024], target=f"at most {most} MB",
                     met=lambda row, most=most: row.median <= most)

    def what_stays(self, values):
        for name in ("nginx", "podgate"):
            before, after = values["before"][name], values["after"][name]
            what = f"{name}, before and after {values['requests']} requests"
            self.add(f"descriptors of {what}", "", [after["descriptors"]], "before", [before["descriptors"]],
                     target="the same", met=the_same)
            self.add(f"resident of {what}", "MB", [after["kB"] / 1024], "before", [before["kB"] / 1024],
                     target="the same", met=the_same)
