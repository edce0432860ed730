/* TCP connections as the kernel knows them (sock_diag(7)). Only linux_tcp_close() needs a capability. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct linux_tcp_connection {
        /* The inode of the socket that the server accepted; 0 while nobody has accepted it. */
        uint32_t inode;
        uint16_t local_port, remote_port;
        /* Bytes that the client has received. */
        uint64_t delivered;
        /* How long ago it ended, milliseconds; 0 for an open one. */
        uint32_t ended_ago;
};
/* Calls `found` with each TCP connection, IPv4 or mapped into IPv6, that its server has not closed. The server's
 * address has the same first `prefix_length` bits as `address` (network byte order), and its port is `port` unless
 * that is 0. 0, or -errno: ENOENT is a kernel without tcp_diag. */
int linux_tcp_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port,
        void (*found)(void *context, const struct linux_tcp_connection *connection), void *context);
/* As linux_tcp_connections(), for connections that ended within the last minute, whichever end closed first: the
 * kernel remembers them for that long (TIME_WAIT). A connection that was reset is not among them. `local_port` is the
 * server's. */
int linux_tcp_ended_connections(
        uint32_t address, uint8_t prefix_length, uint16_t port,
        void (*found)(void *context, const struct linux_tcp_connection *connection), void *context);

/* One end of a TCP connection. An IPv4 address is mapped into IPv6 (::ffff:192.0.2.1). */
struct linux_tcp_peer {
        uint8_t address[16];
        uint16_t port;
};
/* Ends the connections of sockets that belong to `uid` and whose other ends are among `peers`; both ends see a reset
 * (SOCK_DESTROY, which needs CAP_NET_ADMIN and CONFIG_INET_DIAG_DESTROY). Other sockets are left alone. `closed` is how
 * many were ended. 0, or -errno. */
int linux_tcp_close(const struct linux_tcp_peer *peers, size_t count, uint32_t uid, unsigned *closed);
/* Sets each of the `count` elements of `found` to whether the peer is the other end of a connection of a socket that
 * belongs to `uid`. 0, or -errno. */
int linux_tcp_find(const struct linux_tcp_peer *peers, size_t count, uint32_t uid, bool *found);
