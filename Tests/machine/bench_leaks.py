"""What the leak detector is worth beside other rules: the part of the bench that needs no machine.

The traces of the seeds 1001 to 1010 and those recorded from real programs; docs/leak-benchmark.md says what is counted.
"""

import json
import subprocess

from payload import SOURCE

SEEDS = "1001-1010"
TRACES = SOURCE / "Tests" / "leak-traces"


def built(product):
    """A program of Tests/Helpers, built for release beside the package's programs."""
    scratch = SOURCE / ".build-deb" / "scratch"
    build = ["swift", "build", "-c", "release", "--package-path", SOURCE, "--scratch-path", scratch, "--product", product]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
    return scratch / "release" / product


class Leaks:
    """Mixed into the bench: `self.add` takes a row, `self.details` goes to bench.json as it is."""

    def leaks(self):
        drawn = self.leak_bench("--seeds", SEEDS)
        recorded = self.leak_bench("--real", TRACES)
        self.details["leaks"] = {"drawn": drawn, "recorded": recorded}
        for name, report in ((f"seeds {SEEDS}", drawn), ("recorded", recorded)):
            for figure in ("precision", "recall"):
                self.beside(f"leaks, {name}: {figure}", figure, report)
        ours = drawn["rules"][0]
        free, left = ours["free_share"], ours["seconds_left"]
        self.figure("leaks: free of the limit when convicted, median", "%", free["median"], 100, 10)
        self.figure("leaks: free of the limit when convicted, worst", "%", free["min"], 100, 3)
        self.figure("leaks: from conviction to the limit, median", "s", left["median"], 1, 120)
        self.figure("leaks: from conviction to the limit, worst", "s", left["min"], 1, 120)
        rate = ours["false_recycles_per_1000_pod_days"]
        best = self.best(drawn, lambda rule: -rule["false_recycles_per_1000_pod_days"])
        self.add("leaks: false recycles in 1,000 pod-days", "", [rate], best["rule"],
                 [best["false_recycles_per_1000_pod_days"]], target="fewer than 1", met=lambda row: row.median < 1)
        self.add("leaks: detector, a sample (this host)", "us", [ours["microseconds_per_sample"]],
                 target="under 20", met=lambda row: row.median < 20)
        # The dearest case: every sample is looked at.
        nanoseconds, size = map(int, self.output("decisions-bench", "detector").split())
        self.add("leaks: detector, a sample near the limit (this host)", "us", [nanoseconds / 1000],
                 target="under 20", met=lambda row: row.median < 20)
        self.add("leaks: detector, memory a pod", "kB", [size / 1000], target="under 4", met=lambda row: row.median < 4)

    def leak_bench(self, *arguments):
        return json.loads(self.output("leak-bench", "--json", *arguments))

    @staticmethod
    def output(product, *arguments):
        return subprocess.run([built(product), *arguments], check=True, capture_output=True).stdout

    @staticmethod
    def best(report, key):
        return max(report["rules"][1:], key=key)

    def beside(self, name, figure, report):
        """Ours beside the best of the others on this figure, whatever that one's other figure is."""
        best = self.best(report, lambda rule: rule[figure])
        ours = report["rules"][0][figure]
        self.add(name, "%", [ours * 100], best["rule"], [best[figure] * 100], target="at least 98 and above each rule's",
                 met=lambda row: ours >= 0.98 and ours > best[figure])

    def figure(self, name, unit, value, scale, least):
        """A figure that is to reach `least`; none when nothing was convicted."""
        self.add(name, unit, [0 if value is None else value * scale], target=f"at least {least} {unit}",
                 met=lambda row: row.median >= least)
