/* The system calls that a pod may not make. */
#pragma once

#include "report.h"

/* Small on purpose: what capabilities, uid and namespaces already refuse is not repeated, except where a
 * kernel bug has gone round them before. Fails with stage `privileges`. */
void install_filter(void);
