/* What a pod's process is not: root, capable, in anybody's group or keyring. */
#pragma once

#include "report.h"

#include <sys/types.h>

/* Default dispositions, nothing blocked: podd blocks what its event loop reads. */
void reset_signals(void);

/* Uid and gid `uid`, no groups, a session keyring of its own, no capability in any set and none to come
 * back by exec. Fails with stage `user` or `privileges`. */
void drop_privileges(uid_t uid);
