#!/bin/bash
# What the commands of the table of ends (cases/ends.py) may use, beside the variables that they are given.
# shellcheck disable=SC2153

tell() {  # carry out a behaviour of files/misbehaving
    curl -s -m 20 --interface "$FRONT" "$URL/do/$1" > /dev/null || :
    case $1 in
        # It serves one at a time: who is answered next comes after it.
        ignore_term | grandchildren | leave_a_daemon) curl -s -m 20 --interface "$FRONT" "$URL/" > /dev/null || : ;;
    esac
}
at_start() {  # ... in the next generation, before it is ready
    echo "$1" > "$STATE/at-start"
}
broken() {  # one more line in the workload's file, and the next generation launched with it
    mkdir -p "/etc/podctl/workloads/$WORKLOAD.conf.d"
    printf '[Workload]\n%s\n' "$1" > "/etc/podctl/workloads/$WORKLOAD.conf.d/broken.conf"
    kill -KILL "$PID"
}
fill() {  # more connections than the program's queue takes, held open; those not taken knock again and again
    setsid python3 -c '
import os, socket, time
open("/run/filling", "w").write(str(os.getpid()))
held = []
for _ in range(10):
    one = socket.socket()
    one.setblocking(False)
    one.bind((os.environ["FRONT"], 0))
    one.connect_ex((os.environ["ADDRESS"], int(os.environ["PORT"])))
    held.append(one)
time.sleep(300)' > /dev/null 2>&1 &
    until [[ -s /run/filling ]]; do sleep 0.1; done
}
end_filling() {  # ... or the next generation has them in its queue instead, silent for a minute
    kill "$(cat /run/filling)"
    rm /run/filling
}
take_port() {  # somebody else listens where the pod does
    setsid python3 -c '
import os, socket, time
while True:
    # podd, and systemd with its copy, may be about to close theirs.
    try: taken = socket.create_server((os.environ["ADDRESS"], int(os.environ["PORT"])))
    except OSError: time.sleep(0.1)
    else: break
open("/run/taken", "w").write(str(os.getpid()))
time.sleep(300)' > /dev/null 2>&1 &
    until [[ -s /run/taken ]]; do sleep 0.1; done
}
give_port_back() {
    kill "$(cat /run/taken)"
    rm /run/taken
}
