/* Where this process is, as the host sees it. */
#pragma once

#include "report.h"

/* To be opened while the host's /proc is there; what is read later is the state at that time. */
int open_own_cgroup(void);

/* Fails with stage `cgroup`, ESRCH when the unified hierarchy's path is not `expected`. */
void check_own_cgroup(int file, const char *expected);
