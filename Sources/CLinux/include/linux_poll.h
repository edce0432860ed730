/* Waiting for descriptors: eventfd and epoll, without their structs. */
#pragma once

int linux_eventfd(void);

#define LINUX_READABLE 1
#define LINUX_WRITABLE 2
/* An epoll set; -1 and errno on failure. */
int linux_poll_create(void);
/* Watches fd for `interest` (LINUX_READABLE, LINUX_WRITABLE or both); with 0 stops watching it. `known` says
 * whether the set already has it. */
int linux_poll_watch(int set, int fd, int interest, int known);
/* Fills fds with the ready descriptors; waits timeout_ms (-1: for ever). Returns their number, 0 when interrupted. */
int linux_poll_wait(int set, int *fds, int capacity, int timeout_ms);
