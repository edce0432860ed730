#include "report.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int control_socket = -1;

static const char *const stage_names[] = {
  [STAGE_PLAN] = "plan",       [STAGE_NAMESPACE] = "namespace",   [STAGE_MOUNT] = "mount",
  [STAGE_RELEASE] = "release", [STAGE_CGROUP] = "cgroup",         [STAGE_JOURNAL] = "journal",
  [STAGE_USER] = "user",       [STAGE_PRIVILEGES] = "privileges", [STAGE_EXEC] = "exec",
};

void report_to(int control) {
  control_socket = control;
}

_Noreturn void fail(enum stage stage, int error) {
  char line[64];
  const char *name = strerrorname_np(error);
  int length;

  if (name)
    length = snprintf(line, sizeof line, "%s %s\n", stage_names[stage], name);
  else
    length = snprintf(line, sizeof line, "%s %d\n", stage_names[stage], error);
  /* podd may be gone, and its death must not turn into SIGPIPE here. */
  (void)!send(control_socket, line, (size_t)length, MSG_NOSIGNAL);
  _exit(EXIT_LAUNCH_FAILED);
}
