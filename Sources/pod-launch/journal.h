/* Standard output and standard error, to the journal. */
#pragma once

#include "report.h"

/* journald's directory, to be opened while the host's root is this process's root; -1 where there is none. */
int open_journal_directory(void);
/* Connects a stream of this process's own to journald (facts 16: the connecting process's cgroup is what
 * the lines are credited to; it must still be root) and makes it descriptors 1 and 2. Fails with stage `journal`. */
void open_journal_stream(int directory, const char *identifier, const char *unit);
