#!/bin/bash
# Functions that the commands of the table of ends (cases/ends.py) may use, in addition to their variables.
# shellcheck disable=SC2153

tell() {  # carry out a behaviour of files/misbehaving
    curl -s -m 20 --interface "$FRONT" "$URL/do/$1" > /dev/null || :
    case $1 in
        # The program serves one connection at a time, so an answer to the next request means that the behaviour is done.
        ignore_term | grandchildren | leave_a_daemon) curl -s -m 20 --interface "$FRONT" "$URL/" > /dev/null || : ;;
    esac
}
at_start() {  # ... in the next generation, before it is ready
    echo "$1" > "$STATE/at-start"
}
broken() {  # adds a line to the workload's file, and launches the next generation with it
    mkdir -p "/etc/podctl/workloads/$WORKLOAD.conf.d"
    printf '[Workload]\n%s\n' "$1" > "/etc/podctl/workloads/$WORKLOAD.conf.d/broken.conf"
    kill -KILL "$PID"
}
fill() {  # keeps more connections open than the program's queue takes; the kernel retries the others
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
end_filling() {  # otherwise the next generation has the silent connections in its queue for a minute
    kill "$(cat /run/filling)"
    rm /run/filling
}
take_port() {  # another program listens on the pod's port, which podd keeps while it runs
    systemctl stop podd.service
    setsid python3 -c '
import os, socket, time
while True:
    # systemd may still have the old listening socket open for a moment.
    try: taken = socket.create_server((os.environ["ADDRESS"], int(os.environ["PORT"])))
    except OSError: time.sleep(0.1)
    else: break
open("/run/taken", "w").write(str(os.getpid()))
time.sleep(300)' > /dev/null 2>&1 &
    until [[ -s /run/taken ]]; do sleep 0.1; done
    systemctl start podd.service
}
give_port_back() {
    kill "$(cat /run/taken)"
    rm /run/taken
}
