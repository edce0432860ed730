#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

int linux_nftables_events(void) {
        const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
        int group = NFNLGRP_NFTABLES;
        int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
        if (fd < 0)
                return -errno;
        /* Bound, so that it has a port number: without one the kernel treats it as the sender of every change. */
        if (bind(fd, (const struct sockaddr *) &any, sizeof any) < 0
            || setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
                int error = errno;
                close(fd);
                return -error;
        }
        return fd;
}
