/* The system calls that a pod may not make. */
#pragma once

#include "report.h"

/* The list is short on purpose: calls that capabilities, uid and namespaces already refuse are not repeated, except
 * where a kernel bug has bypassed those before. Fails with stage `privileges`. */
void install_filter(void);
