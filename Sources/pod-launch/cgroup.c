#include "cgroup.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

int open_own_cgroup(void) {
  int file = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);

  if (file < 0)
    fail(STAGE_CGROUP, errno);
  return file;
}

void check_own_cgroup(int file, const char *expected) {
  /* In addition to the unified hierarchy's line, a hybrid host has at most a dozen short lines. */
  static char text[2 * PATH_MAX];
  ssize_t length = read(file, text, sizeof text - 1);

  if (length < 0)
    fail(STAGE_CGROUP, errno);
  text[length] = 0;
  close(file);
  for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = 0;
    if (!strncmp(line, "0::", 3) && !strcmp(line + 3, expected))
      return;
  }
  fail(STAGE_CGROUP, ESRCH);
}
