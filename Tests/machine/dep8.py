"""The package's own tests (DEP-8, packaging/debian/tests/control), run as autopkgtest would.

Only what our tests use is read: Tests, Depends, Restrictions. A test passes when it exits with 0 and,
unless it has the restriction allow-stderr, writes nothing to standard error. 77 skips with `skippable`.
"""

import pathlib
import re
from typing import NamedTuple

#: What we honour or what is always true of a test machine of its own.
KNOWN = {
    "needs-root", "allow-stderr", "isolation-machine", "isolation-container", "breaks-testbed",
    "skippable", "superficial",
}


class PackageTest(NamedTuple):
    name: str
    depends: tuple
    restrictions: frozenset

    def has(self, restriction):
        return restriction in self.restrictions


class Skipped(Exception):
    """The test said itself that it cannot run here."""


def read_tests(control):
    """The tests in the order of the file; ValueError names what it does not understand."""
    tests = []
    text = re.sub(r"^#.*\n", "", pathlib.Path(control).read_text(), flags=re.M)
    for stanza in re.split(r"\n\s*\n", text.strip()):
        fields = {
            match["key"].lower(): match["value"]
            for match in re.finditer(r"^(?P<key>[\w-]+):(?P<value>.*(?:\n[ \t].*)*)", stanza, flags=re.M)}
        if unknown := fields.keys() - {"tests", "depends", "restrictions", "features", "architecture"}:
            raise ValueError(f"{control}: unknown field {sorted(unknown)[0]}")
        restrictions = frozenset(re.split(r"[\s,]+", fields.get("restrictions", "").strip())) - {""}
        if unknown := restrictions - KNOWN:
            raise ValueError(f"{control}: unknown restriction {sorted(unknown)[0]}")
        depends = tuple(
            each.strip() for each in fields.get("depends", "@").split(",") if each.strip() not in ("@", ""))
        tests += [
            PackageTest(name, depends, restrictions)
            for name in re.split(r"[\s,]+", fields.get("tests", "").strip()) if name]
    return tests


def run_test(machine, test, timeout):
    """Runs one test; raises AssertionError with its output when it fails, Skipped when it says so."""
    user = "root" if test.has("needs-root") else "visitor"
    work = f"/tmp/autopkgtest/{test.name}"
    machine.succeed(f"mkdir -p {work}/tmp {work}/artifacts && chown -R {user}: {work}")
    result = machine.run(
        f"debian/tests/{test.name}", timeout=timeout, user=user, cwd="/payload", environment={
            "AUTOPKGTEST_TMP": f"{work}/tmp", "AUTOPKGTEST_ARTIFACTS": f"{work}/artifacts",
            "DEBIAN_FRONTEND": "noninteractive"})
    if result.status == 77 and test.has("skippable"):
        raise Skipped((result.stdout.strip().splitlines() or ["no reason given"])[-1])
    output = f"{result.stdout}{result.stderr}".rstrip()
    if result.status != 0:
        raise AssertionError(f"debian/tests/{test.name}: exit status {result.status}\n{output}")
    if result.stderr and not test.has("allow-stderr"):
        raise AssertionError(f"debian/tests/{test.name}: wrote to standard error\n{output}")
