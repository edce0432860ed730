/* Clocks, without struct timespec. */
#pragma once
#include <stdint.h>

/* Microseconds; CLOCK_MONOTONIC stands still while the host sleeps. */
uint64_t linux_realtime(void);
uint64_t linux_monotonic(void);
