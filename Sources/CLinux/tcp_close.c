#define _GNU_SOURCE
#include "CLinux.h"

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

static int send_request(int fd, const struct request *request) {
        const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        if (sendto(fd, request, sizeof *request, 0, (const struct sockaddr *) &kernel, sizeof kernel) < 0)
                return -errno;
        return 0;
}

/* The kernel has created its reply, or a part of it, before this is called. Returns the length, or -errno. */
static ssize_t receive(int fd, char *buffer, size_t size) {
        for (;;) {
                struct sockaddr_nl sender = { 0 };
                struct iovec part = { .iov_base = buffer, .iov_len = size };
                struct msghdr datagram = {
                        .msg_name = &sender,
                        .msg_namelen = sizeof sender,
                        .msg_iov = &part,
                        .msg_iovlen = 1,
                };
                ssize_t got = recvmsg(fd, &datagram, MSG_DONTWAIT);
                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return -errno;
                if (datagram.msg_flags & MSG_TRUNC)
                        return -EMSGSIZE;
                if (sender.nl_pid == 0)
                        return got;
        }
}

static int error_of(const struct nlmsghdr *message) {
        struct nlmsgerr error = { .error = -EPROTO };
        if (message->nlmsg_len >= NLMSG_LENGTH(sizeof error))
                memcpy(&error, NLMSG_DATA(message), sizeof error);
        return error.error;
}

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
        _Alignas(struct nlmsghdr) char buffer[1024];
        int result = send_request(fd, &request);
        if (result < 0)
                return result;
        ssize_t got = receive(fd, buffer, sizeof buffer);
        if (got < 0)
                return (int) got;
        const struct nlmsghdr *message = (const struct nlmsghdr *) buffer;
        if (got < (ssize_t) sizeof *message || message->nlmsg_type != NLMSG_ERROR)
                return -EPROTO;
        int error = error_of(message);
        return error == 0 ? 1 : error == -ENOENT ? 0 : error;
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

static bool is_meant(const struct inet_diag_msg *socket, const struct linux_tcp_peer *peers, size_t count) {
        struct linux_tcp_peer peer;
        peer_of(socket, &peer);
        for (size_t i = 0; i < count; i++)
                if (peers[i].port == peer.port && memcmp(peers[i].address, peer.address, sizeof peer.address) == 0)
                        return true;
        return false;
}

static int close_family(
        int list, int change, uint8_t family, const struct linux_tcp_peer *peers, size_t count, uint32_t uid,
        unsigned *closed) {
        _Alignas(struct nlmsghdr) char buffer[32768];
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
        int result = send_request(list, &request);
        if (result < 0)
                return result;
        for (;;) {
                ssize_t got = receive(list, buffer, sizeof buffer);
                if (got < 0)
                        return (int) got;
                /* Signed, as the padding of the last message may take it below zero. */
                ssize_t left = got;
                for (const struct nlmsghdr *m = (const struct nlmsghdr *) buffer;
                     left >= (ssize_t) sizeof *m && m->nlmsg_len >= sizeof *m && (ssize_t) m->nlmsg_len <= left;
                     m = NLMSG_NEXT(m, left)) {
                        struct inet_diag_msg socket;
                        if (m->nlmsg_type == NLMSG_DONE)
                                return 0;
                        if (m->nlmsg_type == NLMSG_ERROR)
                                return error_of(m);
                        if (m->nlmsg_type != SOCK_DIAG_BY_FAMILY || m->nlmsg_len < NLMSG_LENGTH(sizeof socket))
                                return -EPROTO;
                        memcpy(&socket, NLMSG_DATA(m), sizeof socket);
                        if (socket.idiag_uid != uid || !is_meant(&socket, peers, count))
                                continue;
                        result = destroy(change, &socket);
                        if (result < 0)
                                return result;
                        *closed += (unsigned) result;
                }
        }
}

int linux_tcp_close(const struct linux_tcp_peer *peers, size_t count, uint32_t uid, unsigned *closed) {
        static const uint8_t families[] = { AF_INET, AF_INET6 };
        int result = 0;
        *closed = 0;
        /* Two, because the list is read while sockets are destroyed. */
        int list = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (list < 0)
                return -errno;
        int change = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (change < 0)
                result = -errno;
        for (size_t i = 0; result == 0 && i < sizeof families; i++)
                result = close_family(list, change, families[i], peers, count, uid, closed);
        if (change >= 0)
                close(change);
        close(list);
        return result;
}
