/* The plan that podd sends. All of it is read and checked before anything is done. */
#pragma once

#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

enum {
  PLAN_BYTES_MAX = 1 << 20,
  PLAN_ARGUMENTS_MAX = 1024,
  PLAN_ENVIRONMENT_MAX = 1024,
  PLAN_LISTEN_MAX = 64,
};

enum operation_kind {
  OPERATION_ARG,
  OPERATION_BIND,
  OPERATION_CGROUP,
  OPERATION_CGROUPFS,
  OPERATION_CHDIR,
  OPERATION_DEV,
  OPERATION_ENV,
  OPERATION_FILE,
  OPERATION_IDENT,
  OPERATION_LISTEN,
  OPERATION_NOFILE,
  OPERATION_PROC,
  OPERATION_READONLY,
  OPERATION_SYMLINK,
  OPERATION_TMPFS,
  OPERATION_UID,
};

struct operation {
  enum operation_kind kind;
  /* Pointers into the plan's bytes; as many as the operation has. */
  char *argument[3];
};

struct bind_flags {
  bool read_only, optional, recursive, exec;
};

struct plan {
  char *bytes;
  size_t size;
  const char *cgroup, *identifier, *cgroupfs, *directory;
  uid_t uid;
  /* 0: as inherited. */
  rlim_t nofile;
  unsigned listen_count;
  char *arguments[PLAN_ARGUMENTS_MAX + 1];
  /* Three more for LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, which come first. */
  char *environment[3 + PLAN_ENVIRONMENT_MAX + 1];
};

/* Reads the plan from `control` into storage of its own. Fails with stage `plan`: EPIPE when podd closed
 * the socket, E2BIG above a limit, EINVAL for anything that is not exactly as documented. */
struct plan *plan_read(int control);

/* Iterates over the operations in order: *offset starts at 0, false is the end. */
bool plan_next(const struct plan *plan, size_t *offset, struct operation *operation);

/* Both are for arguments that plan_read has accepted or is about to check. */
bool parse_number(const char *text, unsigned base, unsigned long max, unsigned long *number);
bool parse_bind_flags(const char *text, struct bind_flags *flags);
