/* Takes the times of `make bench`. It also is the strictest comparison: a minimal D-Bus client that starts the same
 * scopes as podd, with the same properties, around `sleep`. Tests/machine/bench runs it in the machine.
 *
 *   bench-client single ROUNDS POD           one scope and one pod in turn, each alone
 *   bench-client batch ROUNDS COUNT FLIGHT   COUNT scopes, FLIGHT of them at a time, and pods 1 … COUNT
 *   bench-client command ROUNDS NAME UNDO COMMAND…  from a command's start until the program NAME runs;
 *                                            the shell command UNDO runs before each round and at the end
 *   bench-client compare ROUNDS COMMAND… -- COMMAND…  two commands in turn, from start to exit
 *   bench-client scope                       one scope until standard input ends, for inspection
 *
 * Writes one JSON object of arrays, milliseconds, to standard output. The start of a program is the kernel's time
 * stamp of its execve(2) from the process connector (linux/cn_proc.h); the events stay in the socket until the
 * measurement is over. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

enum { COUNT_MAX = 512, EVENTS_MAX = 1 << 14, SETTLE_MS = 100 };

static void die(const char *what, int error) {
  fprintf(stderr, "bench-client: %s: %s\n", what, strerror(abs(error)));
  exit(1);
}

static int checked(int result, const char *what) {
  if (result < 0)
    die(what, result);
  return result;
}

/* CLOCK_MONOTONIC, nanoseconds, which is also the clock of the process connector (ktime_get_ns). */
static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Waits, so that work left over from the previous start and stop does not count for the next. */
static void settle(void) {
  const struct timespec pause = {0, SETTLE_MS * 1000000L};
  nanosleep(&pause, NULL);
}

/* Arrays of figures */

struct series {
  const char *name;
  size_t count;
  double values[4096];
};

static void add(struct series *series, uint64_t from, uint64_t to) {
  if (series->count < 4096)
    series->values[series->count++] = ((double)to - (double)from) / 1e6;
}

static void print(struct series *all, size_t count) {
  printf("{");
  for (size_t i = 0; i < count; i++) {
    printf("%s\"%s\":[", i ? "," : "", all[i].name);
    for (size_t j = 0; j < all[i].count; j++)
      printf("%s%.4f", j ? "," : "", all[i].values[j]);
    printf("]");
  }
  printf("}\n");
}

/* The kernel's time stamps of execve */

static int connector = -1;
/* Every execve since forget_programs(), in order. */
static struct {
  pid_t pid;
  uint64_t at;
} programs[EVENTS_MAX];
static size_t programs_count;

static void watch_programs(void) {
  struct {
    struct nlmsghdr header;
    struct cn_msg message __attribute__((aligned(NLMSG_ALIGNTO)));
    uint8_t operation[sizeof(uint32_t)];
  } __attribute__((packed)) request = {0};
  const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC, .nl_pid = 0};
  const int size = 64 << 20;
  const uint32_t listen = PROC_CN_MCAST_LISTEN;

  connector = socket(PF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);
  if (connector < 0 || bind(connector, (const struct sockaddr *)&address, sizeof address) < 0 ||
      setsockopt(connector, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
    die("process connector", errno);
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = NLMSG_DONE;
  request.message.id.idx = CN_IDX_PROC;
  request.message.id.val = CN_VAL_PROC;
  request.message.len = sizeof listen;
  memcpy(request.operation, &listen, sizeof listen);
  if (send(connector, &request, sizeof request, 0) < 0)
    die("process connector", errno);
}

/* Reads the events since the last call. */
static void read_programs(void) {
  char buffer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
  ssize_t n;

  while ((n = recv(connector, buffer, sizeof buffer, 0)) > 0) {
    size_t left = (size_t)n;
    for (struct nlmsghdr *header = (void *)buffer; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      struct cn_msg *message = NLMSG_DATA(header);
      struct proc_event event;
      if (message->len < sizeof event - sizeof event.event_data)
        continue;
      memset(&event, 0, sizeof event);
      memcpy(&event, message->data, message->len < sizeof event ? message->len : sizeof event);
      if (event.what != PROC_EVENT_EXEC || programs_count == EVENTS_MAX)
        continue;
      programs[programs_count].pid = event.event_data.exec.process_tgid;
      programs[programs_count++].at = event.timestamp_ns;
    }
  }
  if (n < 0 && errno != EAGAIN)
    die("process connector", errno);
}

/* Reads the events again, because the process may have executed another program since. */
static uint64_t last_program_of(pid_t pid) {
  read_programs();
  for (size_t i = programs_count; i-- > 0;)
    if (programs[i].pid == pid)
      return programs[i].at;
  die("no execve of the program was seen", ESRCH);
  return 0;
}

static void forget_programs(void) {
  read_programs();
  programs_count = 0;
}

/* The bus */

static sd_bus *bus;
/* Jobs that have ended. They are kept because systemd may send the signal before the reply with the job's path. */
static struct {
  char path[64];
  bool done;
} jobs[COUNT_MAX * 2];
static size_t jobs_count;

static int job_removed(sd_bus_message *message, void *data, sd_bus_error *error) {
  const char *path, *unit, *result;
  uint32_t id;

  (void)data, (void)error;
  checked(sd_bus_message_read(message, "uoss", &id, &path, &unit, &result), "JobRemoved");
  if (jobs_count == COUNT_MAX * 2)
    die("too many jobs", ENOSPC);
  snprintf(jobs[jobs_count].path, sizeof jobs->path, "%s", path);
  jobs[jobs_count++].done = strcmp(result, "done") == 0;
  return 0;
}

static bool job_ended(const char *path) {
  for (size_t i = 0; i < jobs_count; i++)
    if (strcmp(jobs[i].path, path) == 0) {
      if (!jobs[i].done)
        die("a job failed", EIO);
      jobs[i] = jobs[--jobs_count];
      return true;
    }
  return false;
}

static void open_bus(void) {
  checked(sd_bus_open_system(&bus), "system bus");
  checked(sd_bus_match_signal(bus, NULL, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                              "org.freedesktop.systemd1.Manager", "JobRemoved", job_removed, NULL),
          "match JobRemoved");
}

static void turn(void) {
  int worked = checked(sd_bus_process(bus, NULL), "bus");
  if (!worked)
    checked(sd_bus_wait(bus, UINT64_MAX), "bus");
}

static sd_bus_message *manager_call(const char *member) {
  sd_bus_message *call;
  checked(sd_bus_message_new_method_call(bus, &call, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
                                         "org.freedesktop.systemd1.Manager", member),
          member);
  return call;
}

/* The comparison: one scope around `sleep` */

struct scope {
  char unit[64];
  char job[64];
  pid_t pid;
  uint64_t begun, ended;
};

static pid_t spawn(char *const *arguments, int output) {
  posix_spawn_file_actions_t actions;
  pid_t pid;

  posix_spawn_file_actions_init(&actions);
  if (output >= 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1);
  int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
  if (error)
    die(arguments[0], error);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

static void prefix(sd_bus_message *call, const char *name, const uint8_t *address, size_t length, uint32_t bits,
                   const uint8_t *more, size_t more_length) {
  checked(sd_bus_message_open_container(call, 'r', "sv"), name);
  checked(sd_bus_message_append(call, "s", name), name);
  checked(sd_bus_message_open_container(call, 'v', "a(iayu)"), name);
  checked(sd_bus_message_open_container(call, 'a', "(iayu)"), name);
  for (int i = 0; i < (more ? 2 : 1); i++) {
    checked(sd_bus_message_open_container(call, 'r', "iayu"), name);
    checked(sd_bus_message_append(call, "i", i ? AF_INET6 : AF_INET), name);
    checked(sd_bus_message_append_array(call, 'y', i ? more : address, i ? more_length : length), name);
    checked(sd_bus_message_append(call, "u", bits), name);
    checked(sd_bus_message_close_container(call), name);
  }
  checked(sd_bus_message_close_container(call), name);
  checked(sd_bus_message_close_container(call), name);
  checked(sd_bus_message_close_container(call), name);
}

static int scope_replied(sd_bus_message *reply, void *data, sd_bus_error *error) {
  struct scope *scope = data;
  const char *job;

  (void)error;
  if (sd_bus_message_is_method_error(reply, NULL)) {
    fprintf(stderr, "bench-client: %s: %s\n", scope->unit, sd_bus_message_get_error(reply)->message);
    exit(1);
  }
  checked(sd_bus_message_read(reply, "o", &job), "reply");
  snprintf(scope->job, sizeof scope->job, "%s", job);
  return 0;
}

/* The properties of Sources/podd/Core/Systemd1/ScopeProperties.swift for a pod of tier free with the workload podserve;
 * Tests/machine/bench compares the properties of the two units as systemd reports them. */
static void begin_scope(struct scope *scope, unsigned number) {
  static const uint8_t zero[16], front[4] = {127, 76, 255, 254};
  char *const sleep[] = {"sleep", "infinity", NULL};

  *scope = (struct scope){.begun = now()};
  snprintf(scope->unit, sizeof scope->unit, "minimal-%u.scope", number);
  scope->pid = spawn(sleep, -1);

  sd_bus_message *call = manager_call("StartTransientUnit");
  checked(sd_bus_message_append(call, "ss", scope->unit, "fail"), "call");
  checked(sd_bus_message_open_container(call, 'a', "(sv)"), "call");
  checked(sd_bus_message_append(
              call, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)(sv)",
              "Description", "s", "minimal scope", "Slice", "s", "pods-free.slice",
              "PIDs", "au", 1, (uint32_t)scope->pid, "AddRef", "b", 1,
              "CollectMode", "s", "inactive-or-failed", "Before", "as", 1, "pods.target",
              "TimeoutStopUSec", "t", (uint64_t)90000000, "KillSignal", "i", SIGTERM, "OOMPolicy", "s", "kill"),
          "properties");
  checked(sd_bus_message_append(
              call, "(sv)(sv)(sv)(sv)(sv)(sv)(sv)", "MemoryAccounting", "b", 1, "TasksAccounting", "b", 1,
              "MemoryMax", "t", (uint64_t)96 << 20, "MemoryHigh", "t", (uint64_t)64 << 20,
              "MemorySwapMax", "t", (uint64_t)0, "CPUQuotaPerSecUSec", "t", (uint64_t)500000,
              "TasksMax", "t", (uint64_t)640),
          "limits");
  prefix(call, "IPAddressDeny", zero, 4, 0, zero, 16);
  prefix(call, "IPAddressAllow", front, 4, 32, NULL, 0);
  checked(sd_bus_message_close_container(call), "call");
  checked(sd_bus_message_append(call, "a(sa(sv))", 0), "call");
  checked(sd_bus_call_async(bus, NULL, call, scope_replied, scope, 0), "StartTransientUnit");
  sd_bus_message_unref(call);
}

static bool scope_runs(struct scope *scope) {
  if (!scope->ended && scope->job[0] && job_ended(scope->job))
    scope->ended = now();
  return scope->ended;
}

static void end_scope(struct scope *scope) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message *call = manager_call("StopUnit"), *reply;
  const char *path;
  char job[64];

  checked(sd_bus_message_append(call, "ss", scope->unit, "replace"), "StopUnit");
  checked(sd_bus_call(bus, call, 0, &error, &reply), "StopUnit");
  checked(sd_bus_message_read(reply, "o", &path), "StopUnit");
  snprintf(job, sizeof job, "%s", path);
  while (!job_ended(job))
    turn();
  sd_bus_message_unref(call);
  sd_bus_message_unref(reply);
  waitpid(scope->pid, NULL, 0);
  /* Drops the reference of AddRef; PID 1 then unloads the unit. */
  call = manager_call("UnrefUnit");
  checked(sd_bus_message_append(call, "s", scope->unit), "UnrefUnit");
  checked(sd_bus_call(bus, call, 0, &error, NULL), "UnrefUnit");
  sd_bus_message_unref(call);
}

/* podd */

struct pod {
  char name[32];
  uint64_t answered;
};

static int pod_answered(sd_bus_message *reply, void *data, sd_bus_error *error) {
  struct pod *pod = data;

  (void)error;
  if (sd_bus_message_is_method_error(reply, NULL)) {
    fprintf(stderr, "bench-client: %s: %s\n", pod->name, sd_bus_message_get_error(reply)->message);
    exit(1);
  }
  pod->answered = now();
  return 0;
}

/* Calls StartPod or StopPod; the reply comes when the pod is ready or has ended. */
static void call_podd(const char *member, struct pod *pod) {
  sd_bus_message *call;

  pod->answered = 0;
  checked(sd_bus_message_new_method_call(bus, &call, "org.podctl1", "/org/podctl1", "org.podctl1.Manager", member),
          member);
  checked(sd_bus_message_append(call, "s", pod->name), member);
  checked(sd_bus_call_async(bus, NULL, call, pod_answered, pod, 600000000), member);
  sd_bus_message_unref(call);
}

static void all_answered(struct pod *pods, size_t count) {
  for (size_t i = 0; i < count; i++)
    while (!pods[i].answered)
      turn();
  /* Forgets podd's jobs, which are not used here. */
  jobs_count = 0;
}

/* The execve of the program of a pod with one process. */
static uint64_t program_of(const char *pod) {
  char pattern[128], text[32] = "";
  glob_t found;

  snprintf(pattern, sizeof pattern, "/sys/fs/cgroup/pods.slice/pods-free.slice/%s-*.scope/cgroup.procs", pod);
  if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc != 1)
    die(pattern, ENOENT);
  int file = open(found.gl_pathv[0], O_RDONLY | O_CLOEXEC);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0)
    die(found.gl_pathv[0], errno);
  close(file);
  globfree(&found);
  return last_program_of(atoi(text));
}

/* The measurements */

static void single(unsigned rounds, const char *name) {
  static struct series all[] = {{.name = "scope"}, {.name = "pod_program"}, {.name = "pod_ready"}};
  struct scope scope;
  struct pod pod = {0};

  snprintf(pod.name, sizeof pod.name, "%s", name);
  for (unsigned i = 0; i < rounds; i++) {
    settle();
    begin_scope(&scope, i);
    while (!scope_runs(&scope))
      turn();
    add(&all[0], scope.begun, scope.ended);
    end_scope(&scope);

    call_podd("StopPod", &pod);
    all_answered(&pod, 1);
    settle();
    forget_programs();
    uint64_t begun = now();
    call_podd("StartPod", &pod);
    all_answered(&pod, 1);
    add(&all[1], begun, program_of(pod.name));
    add(&all[2], begun, pod.answered);
  }
  print(all, 3);
}

static uint64_t batch_of_scopes(struct scope *scopes, unsigned count, unsigned flight) {
  static unsigned number;
  unsigned begun = 0, running = 0;

  while (running < count) {
    while (begun < count && begun - running < flight)
      begin_scope(&scopes[begun++], number++);
    turn();
    running = 0;
    for (unsigned i = 0; i < begun; i++)
      running += scope_runs(&scopes[i]);
  }
  return now();
}

static void batch(unsigned rounds, unsigned count, unsigned flight) {
  static struct series all[] = {{.name = "scopes"}, {.name = "pods"}};
  static struct scope scopes[COUNT_MAX];
  static struct pod pods[COUNT_MAX];
  uint64_t begun;

  if (count > COUNT_MAX)
    die("too many", E2BIG);
  for (unsigned i = 0; i < count; i++)
    snprintf(pods[i].name, sizeof pods->name, "pod-%03u", i + 1);
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned i = 0; i < count; i++)
      call_podd("StopPod", &pods[i]);
    all_answered(pods, count);
    settle();
    begun = now();
    add(&all[0], begun, batch_of_scopes(scopes, count, flight));
    for (unsigned i = 0; i < count; i++)
      end_scope(&scopes[i]);
    settle();
    begun = now();
    for (unsigned i = 0; i < count; i++)
      call_podd("StartPod", &pods[i]);
    all_answered(pods, count);
    add(&all[1], begun, now());
  }
  print(all, 2);
}

/* Runs a command and reads its output until it has ended. */
static void run(char *const *arguments, uint64_t *begun, uint64_t *ended) {
  char buffer[65536];
  int pipes[2], status;

  if (pipe2(pipes, O_CLOEXEC) < 0)
    die("pipe", errno);
  *begun = now();
  pid_t pid = spawn(arguments, pipes[1]);
  close(pipes[1]);
  while (read(pipes[0], buffer, sizeof buffer) > 0)
    ;
  waitpid(pid, &status, 0);
  *ended = now();
  close(pipes[0]);
  if (status != 0) {
    fprintf(stderr, "bench-client: %s: wait status %d\n", arguments[0], status);
    exit(1);
  }
}

/* The last execve of a process whose name is NAME now; 0 if there is none yet. */
static uint64_t program_called(const char *name) {
  read_programs();
  for (size_t i = programs_count; i-- > 0;) {
    char path[64], comm[32] = "";
    snprintf(path, sizeof path, "/proc/%d/comm", programs[i].pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
      continue;
    ssize_t n = read(file, comm, sizeof comm - 1);
    close(file);
    if (n > 0 && strcspn(comm, "\n") == strlen(name) && strncmp(comm, name, strlen(name)) == 0)
      return last_program_of(programs[i].pid);
  }
  return 0;
}

static void command(unsigned rounds, const char *name, char *undone, char *const *arguments) {
  static struct series all[] = {{.name = "program"}};
  char *const undo[] = {"sh", "-c", undone, NULL};
  const struct timespec pause = {0, 20000000};
  uint64_t ran;

  for (unsigned i = 0; i < rounds; i++) {
    spawn(undo, -1);
    while (waitpid(-1, NULL, 0) > 0)
      ;
    settle();
    forget_programs();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    uint64_t begun = now();
    spawn(arguments, null);
    close(null);
    while (!program_called(name)) {
      nanosleep(&pause, NULL);
      if (now() - begun > 120000000000)
        die(name, ETIMEDOUT);
    }
    /* A process has its new name before the kernel sends the event of its execve. */
    nanosleep(&pause, NULL);
    ran = program_called(name);
    add(&all[0], begun, ran);
  }
  /* systemd-run --scope has executed the program and ends with it; podman run -d has returned. */
  spawn(undo, -1);
  while (waitpid(-1, NULL, 0) > 0)
    ;
  print(all, 1);
}

static void compare(unsigned rounds, char **arguments) {
  static struct series all[] = {{.name = "first"}, {.name = "second"}};
  char **second = arguments;
  uint64_t begun, ended;

  while (*second && strcmp(*second, "--") != 0)
    second++;
  if (!*second)
    die("compare needs two commands", EINVAL);
  *second++ = NULL;
  for (unsigned i = 0; i < rounds; i++) {
    run(arguments, &begun, &ended);
    add(&all[0], begun, ended);
    run(second, &begun, &ended);
    add(&all[1], begun, ended);
  }
  print(all, 2);
}

int main(int count, char **arguments) {
  const char *what = count > 1 ? arguments[1] : "";
  unsigned rounds = count > 2 ? (unsigned)atoi(arguments[2]) : 0;

  if (strcmp(what, "compare") == 0 && count > 5) {
    compare(rounds, arguments + 3);
  } else if (strcmp(what, "command") == 0 && count > 5) {
    watch_programs();
    command(rounds, arguments[3], arguments[4], arguments + 5);
  } else if (strcmp(what, "single") == 0 && count == 4) {
    open_bus();
    watch_programs();
    single(rounds, arguments[3]);
  } else if (strcmp(what, "batch") == 0 && count == 5) {
    open_bus();
    batch(rounds, (unsigned)atoi(arguments[3]), (unsigned)atoi(arguments[4]));
  } else if (strcmp(what, "scope") == 0) {
    struct scope scope;
    open_bus();
    begin_scope(&scope, 0);
    while (!scope_runs(&scope))
      turn();
    printf("%s\n", scope.unit);
    fflush(stdout);
    while (getchar() != EOF)
      ;
    end_scope(&scope);
  } else {
    fprintf(stderr, "bench-client: see the head of bench-client.c\n");
    return 64;
  }
  return 0;
}
