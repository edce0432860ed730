#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

int linux_eventfd(void) {
        return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

int linux_poll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int linux_poll_watch(int set, int fd, int interest, int known) {
        struct epoll_event event = {.data.fd = fd};
        if (interest & LINUX_READABLE) event.events |= EPOLLIN | EPOLLRDHUP;
        if (interest & LINUX_WRITABLE) event.events |= EPOLLOUT;
        int operation = interest == 0 ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        return epoll_ctl(set, operation, fd, &event);
}

int linux_poll_wait(int set, int *fds, int capacity, int timeout_ms) {
        struct epoll_event events[64];
        if (capacity > 64) capacity = 64;
        int count = epoll_wait(set, events, capacity, timeout_ms);
        if (count < 0) return errno == EINTR ? 0 : -1;
        for (int i = 0; i < count; i++) fds[i] = events[i].data.fd;
        return count;
}
