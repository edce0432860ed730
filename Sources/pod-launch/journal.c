#include "journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

/* A pod's launch does not wait longer than this for a journald that accepts nothing. */
static const struct timeval patience = {.tv_sec = 10};

int open_journal_directory(void) { return open("/run/systemd/journal", O_PATH | O_DIRECTORY | O_CLOEXEC); }

void open_journal_stream(int directory, const char *identifier, const char *unit) {
  const struct sockaddr_un address = {AF_UNIX, "stdout"};
  const struct timeval for_ever = {0};
  char header[512];

  /* The lines that PID 1 sends for a service: identifier, unit, priority, level prefix as in sd-daemon(3),
   * forward to syslog, kmsg, console. journald finds the unit from the cgroup; where the program is dead
   * before its first line is read, it has nothing but this, and takes it from root (connect_logger_as() and
   * client_context_read_cgroup() in systemd's sources). */
  int length = snprintf(header, sizeof header, "%s\n%s\n%d\n1\n0\n0\n0\n", identifier, unit, LOG_INFO);
  if (length < 0 || (size_t)length >= sizeof header)
    fail(STAGE_JOURNAL, ENAMETOOLONG);
  int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (directory < 0)
    fail(STAGE_JOURNAL, ENOENT);
  /* The pod's root need not have the socket: a pod that reached it could send more than lines of text. */
  if (stream < 0 || fchdir(directory) < 0 || setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0
      || connect(stream, (const struct sockaddr *)&address, sizeof address) < 0
      || shutdown(stream, SHUT_RD) < 0)
    fail(STAGE_JOURNAL, errno);
  ssize_t sent = send(stream, header, (size_t)length, MSG_NOSIGNAL);
  if (sent != length)
    fail(STAGE_JOURNAL, sent < 0 ? errno : EIO);
  /* The program's own writes block, as they do in a service. */
  if (setsockopt(stream, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof for_ever) < 0 || dup2(stream, 1) < 0
      || dup2(stream, 2) < 0 || chdir("/") < 0)
    fail(STAGE_JOURNAL, errno);
  close(stream);
  close(directory);
}
