"""`podctl doctor --invariants` names each invariant that is violated on a live host, and is silent when all hold again."""

from loading import invariants_hold
from podctl_testing import case, expect, podctl

DATABASE = "sqlite3 -cmd '.timeout 20000' /var/lib/podctl/podctl.db"

#: How to violate an invariant, doctor's message, and how to restore the invariant.
BROKEN = (
    ("a process of a pod beside its scope",
     "systemd-run -q -p Type=exec --unit=stray --uid=pod-001 sleep infinity", "of pod-001 runs in /system.slice/stray.service",
     "systemctl stop stray.service"),
    ("a scope that nobody recorded",
     "systemd-run -q --unit=holder sleep infinity && busctl -q call org.freedesktop.systemd1 /org/freedesktop/systemd1 "
     "org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' pod-099-1.scope fail 2 "
     "Slice s pods-free.slice PIDs au 1 $(systemctl show -P MainPID holder.service) 0 "
     "&& until systemctl -q is-active pod-099-1.scope; do sleep 0.1; done",
     "pod-099-1.scope runs and is not on record", "systemctl stop pod-099-1.scope"),
    ("a limit that is not the tier's",
     "systemctl set-property --runtime pod-001-1.scope MemoryMax=1G", "pod-001-1.scope: memory.max is 1073741824",
     "systemctl set-property --runtime pod-001-1.scope MemoryMax=96M"),
    ("a user on a pod of another tier",
     f"{DATABASE} \"UPDATE user SET tier = 'pro' WHERE name = 'alice'\"", "alice is placed on a pod of another tier",
     f"{DATABASE} \"UPDATE user SET tier = 'free' WHERE name = 'alice'\""),
    ("a pod that counts its users wrong",
     f"{DATABASE} 'UPDATE pod SET users = users + 1'", "pod 1 does not count its users right",
     f"{DATABASE} 'UPDATE pod SET users = users - 1'"),
)


@case(once="13")
def each_invariant_that_is_broken_on_a_live_host_is_named_by_doctor(machine):
    podctl(machine, "provision alice")
    invariants_hold(machine)
    for what, breaks, said, mends in BROKEN:
        machine.succeed(breaks)
        found = machine.run("podctl doctor --invariants", timeout=60)
        expect((found.status, found.stderr), (1, ""), f"doctor about {what}")
        assert said in found.stdout, f"about {what}: {found.stdout}"
        machine.succeed(mends)
        invariants_hold(machine)
