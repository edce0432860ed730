/* Netfilter: events of the nftables ruleset, and queued packets. All of it needs CAP_NET_ADMIN; functions return
 * -errno on failure. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* A netlink socket that receives every change of the nftables ruleset, non-blocking and close-on-exec. */
int linux_nftables_events(void);

/* nfnetlink_queue: packets that nftables' `queue num N` hands over wait in the kernel for a verdict. */
struct linux_queued_packet {
        /* The name that a verdict uses; a later packet has a higher one. */
        uint32_t id;
        /* Network byte order. Addresses and ports are 0 unless the packet is TCP over IPv4. */
        uint32_t source, destination;
        uint16_t source_port, destination_port;
};
/* Binds queue `number` and returns its descriptor, non-blocking and close-on-exec. The kernel drops packets that
 * arrive while `capacity` packets wait, and all that wait when the descriptor is closed. EBUSY: another program has
 * the queue; EINVAL: the kernel has none. */
int linux_queue_open(uint16_t number, uint32_t capacity);
/* 1 and the next packet, or 0 when there is none. */
int linux_queue_receive(int fd, struct linux_queued_packet *packet);
/* Reads one datagram of the kernel: 1 when it announces a packet, else 0. */
int linux_queue_parse(const void *datagram, size_t size, struct linux_queued_packet *packet);
/* Accepts a packet, or drops it. A packet that the kernel no longer has is no error. */
int linux_queue_verdict(int fd, uint16_t number, uint32_t id, int accepts);
