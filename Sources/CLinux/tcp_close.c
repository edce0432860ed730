#define _GNU_SOURCE
#include "CLinux.h"
#include "sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* tcp(7)'s states. A listening socket has no peer, and in TIME_WAIT there is no socket any more. */
enum { TIME_WAIT = 6, CLOSE = 7, LISTEN = 10, STATES = 12 };
#define CONNECTED_STATES (((1U << STATES) - 1) & ~(1U << TIME_WAIT | 1U << CLOSE | 1U << LISTEN | 1U))

struct request {
        struct nlmsghdr header;
        struct inet_diag_req_v2 about;
};

/* 1, 0 if the connection has ended meanwhile, or -errno. */
static int destroy(int fd, const struct inet_diag_msg *socket) {
        const struct request request = {
                .header = {
                        .nlmsg_len = sizeof request,
                        .nlmsg_type = SOCK_DESTROY,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
                },
                .about = {
                        .sdiag_family = socket->idiag_family,
                        .sdiag_protocol = IPPROTO_TCP,
                        .idiag_states = CONNECTED_STATES,
                        /* With the socket's cookie: no later connection between the same addresses is meant. */
                        .id = socket->id,
                },
        };
        int result = sock_diag_send(fd, &request, sizeof request);
        if (result == 0)
                result = sock_diag_acknowledgement(fd);
        return result == 0 ? 1 : result == -ENOENT ? 0 : result;
}

/* An IPv4 address as IPv6 has it. */
static void peer_of(const struct inet_diag_msg *socket, struct linux_tcp_peer *peer) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        peer->port = ntohs(socket->id.idiag_dport);
        if (socket->idiag_family == AF_INET6) {
                memcpy(peer->address, socket->id.idiag_dst, sizeof peer->address);
        } else {
                memcpy(peer->address, mapped, sizeof mapped);
                memcpy(peer->address + sizeof mapped, socket->id.idiag_dst, 4);
        }
}

/* The connections that are meant. */
struct search {
        const struct linux_tcp_peer *peers;
        size_t count;
        uint32_t uid;
        /* For linux_tcp_find(): which peers have one. */
        bool *found;
        /* For linux_tcp_close(): the socket for requests, and how many connections were ended. */
        int change;
        unsigned *closed;
};

/* The peer's position; `count` if the connection is not meant. */
static size_t position(const struct search *search, const struct inet_diag_msg *socket) {
        struct linux_tcp_peer peer;
        if (socket->idiag_uid != search->uid)
                return search->count;
        peer_of(socket, &peer);
        size_t i = 0;
        while (i < search->count && (search->peers[i].port != peer.port ||
                                     memcmp(search->peers[i].address, peer.address, sizeof peer.address) != 0))
                i++;
        return i;
}

static int close_if_meant(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket) {
        const struct search *search = context;
        (void) message;
        if (position(search, socket) == search->count)
                return 0;
        int result = destroy(search->change, socket);
        if (result < 0)
                return result;
        *search->closed += (unsigned) result;
        return 0;
}

static int mark_if_meant(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket) {
        const struct search *search = context;
        (void) message;
        size_t i = position(search, socket);
        if (i < search->count)
                search->found[i] = true;
        return 0;
}

static int ask(int fd, uint8_t family) {
        const struct request request = {
                .header = {
                        .nlmsg_len = sizeof request,
                        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                },
                .about = {
                        .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = CONNECTED_STATES,
                },
        };
        return sock_diag_send(fd, &request, sizeof request);
}

/* Calls EACH with all connections of the host. */
static int walk(
        int (*each)(void *context, const struct nlmsghdr *message, const struct inet_diag_msg *socket),
        struct search *search) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int list = sock_diag_open();
        if (list < 0)
                return list;
        int result = 0;
        for (size_t i = 0; result == 0 && i < sizeof families; i++) {
                result = ask(list, families[i]);
                if (result == 0)
                        result = sock_diag_dump(list, each, search);
        }
        close(list);
        return result;
}

int linux_tcp_close(const struct linux_tcp_peer *peers, size_t count, uint32_t uid, unsigned *closed) {
        struct search search = { .peers = peers, .count = count, .uid = uid, .closed = closed };
        *closed = 0;
        /* One of its own, because the list is read while sockets are destroyed. */
        search.change = sock_diag_open();
        if (search.change < 0)
                return search.change;
        int result = walk(close_if_meant, &search);
        close(search.change);
        return result;
}

int linux_tcp_find(const struct linux_tcp_peer *peers, size_t count, uint32_t uid, bool *found) {
        struct search search = { .peers = peers, .count = count, .uid = uid, .found = found };
        memset(found, 0, count * sizeof *found);
        return walk(mark_if_meant, &search);
}
