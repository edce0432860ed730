/* Drops privileges: root, capabilities, groups and the inherited keyring. */
#pragma once

#include "report.h"

#include <sys/types.h>

/* Default dispositions, nothing blocked: podd blocks what its event loop reads. */
void reset_signals(void);

/* Uid and gid `uid`, no groups, a session keyring of its own, no capability in any set, and none that exec could
 * bring back. Fails with stage `user` or `privileges`. */
void drop_privileges(uid_t uid);
