/* System calls and constants that glibc 2.36 or Swift's importer do not offer: one header a topic.
 *
 * These headers declare functions and include no header of libc that defines a struct, not even <sys/types.h>. Swift
 * imports them next to its own Glibc module: both would have to agree on every struct (they do not on fd_set), and
 * which module a struct is said to come from depends on which was loaded first. Hence int for pid_t, unsigned for
 * uid_t and mode_t, and long for ssize_t. */
#pragma once
#include "linux_bpf.h"
#include "linux_clock.h"
#include "linux_file.h"
#include "linux_heap.h"
#include "linux_name.h"
#include "linux_netfilter.h"
#include "linux_poll.h"
#include "linux_process.h"
#include "linux_signal.h"
#include "linux_socket.h"
#include "linux_tcp.h"
#include "linux_tree.h"
