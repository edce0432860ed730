#pragma once
#include "report.h"

/* Where the kernel can (6.12): abstract UNIX sockets of other pods and of the host are out of reach. They have
 * no file that the pod's view could leave out, and IPAddressDeny= and nftables do not see them. Needs
 * no_new_privs. */
void close_abstract_sockets(void);
