/* What arrives on podd's netlink sockets: packets that the kernel has queued, and its tables of connections. Whatever the
 * bytes are, nothing is read beyond them, and a packet that is accepted has a number. */
#include "../../Sources/CLinux/packet_queue.c"
#undef _GNU_SOURCE
#include "../../Sources/CLinux/sock_diag.c"
#undef _GNU_SOURCE
#include "../../Sources/CLinux/tcp.c"

#include <stdlib.h>

static void ignore(void *context, const struct linux_tcp_connection *connection) {
        volatile uint64_t sum = connection->inode + connection->local_port + connection->delivered;
        (void) sum;
        (void) context;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int pair[2] = { -1, -1 };
        struct linux_queued_packet packet;
        const struct wanted wanted = { .states = OPEN_STATES };
        struct search search = { .wanted = &wanted, .found = ignore };

        if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
                abort();
        (void) linux_queue_parse(data, size, &packet);
        /* A socket of AF_UNIX has no sender's PID, like the kernel. */
        if (size > 0 && size <= 32768 && send(pair[1], data, size, MSG_DONTWAIT) == (ssize_t) size)
                (void) sock_diag_dump(pair[0], report, &search);
        while (recv(pair[0], &packet, sizeof packet, MSG_DONTWAIT) > 0)
                ;
        return 0;
}
