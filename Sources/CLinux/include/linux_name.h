/* Names of errors and signals (glibc 2.32); NULL for an unknown one. */
#pragma once

const char *linux_errno_name(int error);
const char *linux_signal_abbreviation(int number);
