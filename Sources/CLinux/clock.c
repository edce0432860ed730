#define _GNU_SOURCE
#include "CLinux.h"

#include <time.h>

static uint64_t microseconds(clockid_t clock) {
        struct timespec now;
        clock_gettime(clock, &now);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t linux_realtime(void) {
        return microseconds(CLOCK_REALTIME);
}

uint64_t linux_monotonic(void) {
        return microseconds(CLOCK_MONOTONIC);
}
