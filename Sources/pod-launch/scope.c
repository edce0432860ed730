#include "scope.h"

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/landlock.h of kernel 6.12; Debian 12's headers end after the first member. */
struct ruleset {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};

enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 };

void close_abstract_sockets(void) {
  const struct ruleset ruleset = {.scoped = SCOPE_ABSTRACT_UNIX_SOCKET};
  int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);

  if (fd < 0) {
    /* Not built in, not enabled at boot, or older than the member or its bit. */
    if (errno == ENOSYS || errno == EOPNOTSUPP || errno == E2BIG || errno == EINVAL)
      return;
    fail(STAGE_PRIVILEGES, errno);
  }
  if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
    fail(STAGE_PRIVILEGES, errno);
  close(fd);
}
