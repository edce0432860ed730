/* The pod's own root directory. */
#pragma once

#include "plan.h"

/* Own mount and IPC namespaces, cut off from the host's; fails with stage `namespace`. */
void leave_namespaces(void);

/* Builds the new root as the plan says and makes it this process's root; the host's is detached. Fails
 * with stage `mount`. */
void enter_root(const struct plan *plan);

/* After the release: own cgroup namespace (stage `namespace`) and its view (stage `mount`). */
void enter_cgroup_namespace(const struct plan *plan);
