/* How pod-launch ends before the program runs: one line on the control socket, exit status 254. */
#pragma once

/* A C compiler in -std=gnu11 mode hides mount and namespace calls without this; every file here
 * includes report.h first. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>

/* docs/architecture.md, "pod-launch: the protocol". */
enum stage {
  STAGE_PLAN,
  STAGE_NAMESPACE,
  STAGE_MOUNT,
  STAGE_RELEASE,
  STAGE_CGROUP,
  STAGE_JOURNAL,
  STAGE_USER,
  STAGE_PRIVILEGES,
  STAGE_EXEC,
};

enum { EXIT_LAUNCH_FAILED = 254 };

/* Where fail() writes. */
void report_to(int control);

/* Writes "STAGE ERRNO-NAME\n" and exits. Nothing is cleaned up: every descriptor, mount and namespace
 * of this process goes with it. */
_Noreturn void fail(enum stage stage, int error);
