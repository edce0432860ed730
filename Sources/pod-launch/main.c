/* The last step before a pod's program: builds what the program will see, waits until the process is in
 * the pod's scope, drops everything and becomes it. docs/architecture.md, "pod-launch: the protocol". */
#include "cgroup.h"
#include "filter.h"
#include "journal.h"
#include "plan.h"
#include "privileges.h"
#include "report.h"
#include "root.h"
#include "scope.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  FIRST_PASSED = 3, /* sd_listen_fds(3): SD_LISTEN_FDS_START, and where podd puts the control socket. */
  CONTROL_AT_LEAST = FIRST_PASSED + 1 + PLAN_LISTEN_MAX,
};

/* Moves it above the descriptors that the program gets; close_others() closes the old one. */
static int take_control(void) {
  report_to(FIRST_PASSED);
  int control = fcntl(FIRST_PASSED, F_DUPFD_CLOEXEC, CONTROL_AT_LEAST);
  if (control < 0)
    fail(STAGE_PLAN, errno);
  report_to(control);
  return control;
}

/* LISTEN_FDS wants them from 3 on; podd passed them from 4 on. */
static void move_listening_sockets(unsigned count) {
  for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)count; fd++)
    if (dup2(fd + 1, fd) < 0)
      fail(STAGE_PLAN, errno);
}

static void close_others(unsigned first, int control) {
  if (close_range(first, (unsigned)control - 1, 0) < 0 || close_range((unsigned)control + 1, ~0U, 0) < 0)
    fail(STAGE_PLAN, errno);
}

static void set_limits(const struct plan *plan) {
  const struct rlimit nofile = {plan->nofile, plan->nofile};
  struct rlimit core;

  if (plan->nofile && setrlimit(RLIMIT_NOFILE, &nofile) < 0)
    fail(STAGE_PRIVILEGES, errno);
  /* The kernel would write core dumps into the state directory, where core_pattern is a plain name. The program and
   * prlimit(1) may raise the limit. */
  if (getrlimit(RLIMIT_CORE, &core) < 0)
    fail(STAGE_PRIVILEGES, errno);
  core.rlim_cur = 0;
  if (setrlimit(RLIMIT_CORE, &core) < 0)
    fail(STAGE_PRIVILEGES, errno);
  /* podd may have protected itself from the OOM killer; a pod is not protected. */
  int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0 || write(score, "0", 1) != 1)
    fail(STAGE_PRIVILEGES, errno);
  close(score);
}

static void wait_for_release(int control) {
  char byte;
  ssize_t n;

  do
    n = recv(control, &byte, 1, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    fail(STAGE_RELEASE, errno);
  if (n == 0)
    fail(STAGE_RELEASE, EPIPE);
  if (byte != 'G')
    fail(STAGE_RELEASE, EPROTO);
}

int main(void) {
  /* The kernel names the process after the path by which podd executes it, /proc/self/fd/5. */
  (void)prctl(PR_SET_NAME, "pod-launch", 0, 0, 0);
  reset_signals();
  umask(0);
  /* Fails with EPERM where podd has done it already. */
  (void)setsid();

  int control = take_control();
  struct plan *plan = plan_read(control);
  move_listening_sockets(plan->listen_count);
  close_others(FIRST_PASSED + plan->listen_count, control);
  set_limits(plan);
  int cgroup = open_own_cgroup();
  int journal = open_journal_directory();
  leave_namespaces();
  enter_root(plan);

  wait_for_release(control);

  check_own_cgroup(cgroup, plan->cgroup);
  enter_cgroup_namespace(plan);
  /* The path is absolute. */
  open_journal_stream(journal, plan->identifier, strrchr(plan->cgroup, '/') + 1);
  drop_privileges(plan->uid);
  close_abstract_sockets();
  install_filter();
  umask(0022);
  /* As the pod's user, who must have access to the directory. */
  if (plan->directory && chdir(plan->directory) < 0)
    fail(STAGE_MOUNT, errno);
  execve(plan->arguments[0], plan->arguments, plan->environment);
  fail(STAGE_EXEC, errno);
}
