/* The load of Tests/bench/front: sends requests over kept connections and prints what came of them.
 *
 * usage: front-load [OPTION]... ADDRESS FILE
 *   ADDRESS       127.0.0.1:PORT, or the path of a socket
 *   FILE          whole requests without a body, one after the other; they are sent in this order, again and again
 *   -c COUNT      connections, each from an address of its own, 127.78.A.B, because the front door limits an address (256)
 *   -w COUNT      requests under way, at most (32)
 *   -r RATE       requests a second, whatever is under way; their time begins when they are due. Else each answer makes
 *                 room for the next request
 *   -t MS         for how long requests are sent
 *   -n COUNT      how many are sent, at most
 *   -s STATUS     what the answer must be (200). A connection that was upgraded (101) is closed by this side
 *   -l SOCKET     afterwards says that the requests have ended, as nginx does: to podgate's log, with the tickets of its
 *                 answers
 *   -f PID,...    runs these processes, and itself, under SCHED_FIFO while requests are sent: nobody else has their
 *                 processors then, so keep it below a second. The kernel leaves others a twentieth
 *
 * Prints a line of JSON. Any other answer, or none, is an error: its text is printed, and the exit status is 1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 4096, ANSWER_MAX = 8192, TICKETS_MAX = 8 << 20, SECOND = 1000000000 };

struct connection {
  int socket; /* -1: to be opened with the next request */
  unsigned number;
  uint64_t began;
  size_t length;
  char answer[ANSWER_MAX];
};

static struct connection connections[CONNECTIONS_MAX];
/* The connections without a request: those that waited longest come next, so that all addresses have the same load. */
static struct connection *idle[CONNECTIONS_MAX];
static unsigned idle_first, idle_count, under_way;
static unsigned connections_count = 256, under_way_max = 32;

static const char *address;
static int poller, status_wanted = 200;
static struct { const char *text; size_t length; } *requests;
static size_t requests_count;

/* The tickets of the answers, one line each, and where they go. */
static const char *log_path;
static char *tickets;
static size_t tickets_length;

/* Those that run under SCHED_FIFO, and whether they do now. */
static const char *processes;
static bool schedule_changed;

static uint32_t *latencies;
static size_t sent, answered, latencies_max;

static void die(const char *what) {
  fprintf(stderr, "front-load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* Connections */

static int open_unix(void) {
  struct sockaddr_un peer = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  snprintf(peer.sun_path, sizeof peer.sun_path, "%s", address);
  if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0)
    die(address);
  return fd;
}

static int open_tcp(unsigned number) {
  const char *colon = strchr(address, ':');
  struct sockaddr_in own = {.sin_family = AF_INET}, peer = own;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

  own.sin_addr.s_addr = htonl(0x7F4E0001 + number);
  peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  peer.sin_port = htons((uint16_t)atoi(colon ? colon + 1 : ""));
  /* The port is chosen by connect(2), which knows which ones are free for this peer. */
  if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one) < 0 ||
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
      bind(fd, (struct sockaddr *)&own, sizeof own) < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0)
    die(address);
  return fd;
}

static void open_connection(struct connection *connection) {
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

  connection->socket = address[0] == '/' ? open_unix() : open_tcp(connection->number);
  if (fcntl(connection->socket, F_SETFL, O_NONBLOCK) < 0 ||
      epoll_ctl(poller, EPOLL_CTL_ADD, connection->socket, &event) < 0)
    die("epoll");
}

static void close_connection(struct connection *connection) {
  close(connection->socket);
  connection->socket = -1;
}

static void put_idle(struct connection *connection) {
  idle[(idle_first + idle_count++) % connections_count] = connection;
}

/* Requests and their answers */

static void send_next(uint64_t began) {
  struct connection *connection = idle[idle_first];
  size_t number = sent++ % requests_count;

  idle_first = (idle_first + 1) % connections_count;
  idle_count--;
  under_way++;
  if (connection->socket < 0)
    open_connection(connection);
  connection->began = began;
  connection->length = 0;
  ssize_t count = send(connection->socket, requests[number].text, requests[number].length, MSG_NOSIGNAL);
  if (count != (ssize_t)requests[number].length)
    die("send");
}

static void wrong(struct connection *connection, const char *why) {
  fprintf(stderr, "front-load: %s after %zu answers: %.*s\n", why, answered, (int)connection->length, connection->answer);
  exit(1);
}

/* How long the answer is; 0 if its head is not complete. */
static size_t answer_length(struct connection *connection) {
  char *end = memmem(connection->answer, connection->length, "\r\n\r\n", 4);
  if (!end)
    return 0;
  if (connection->length < 12 || atoi(connection->answer + 9) != status_wanted)
    wrong(connection, "another status");
  size_t head = (size_t)(end - connection->answer) + 4;
  if (status_wanted == 101 || status_wanted == 204)
    return head;
  *end = 0;
  char *field = strcasestr(connection->answer, "\r\ncontent-length:");
  *end = '\r';
  if (!field)
    wrong(connection, "no Content-Length");
  return head + (size_t)atoi(field + 17);
}

static bool is_last(struct connection *connection) {
  return status_wanted == 101 || memmem(connection->answer, connection->length, "Connection: close", 17);
}

static void keep_ticket(struct connection *connection) {
  static const char name[] = "\r\nX-Ticket: ";
  char *ticket = strstr(connection->answer, name);

  if (!ticket)
    wrong(connection, "no ticket");
  ticket += sizeof name - 1;
  size_t length = strcspn(ticket, "\r");
  if (tickets_length + length + 1 > TICKETS_MAX)
    wrong(connection, "too many tickets");
  memcpy(tickets + tickets_length, ticket, length);
  tickets[tickets_length + length] = '\n';
  tickets_length += length + 1;
}

/* Each waits until podgate has room for it. */
static void say_tickets(void) {
  struct sockaddr_un peer = {.sun_family = AF_UNIX};
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  char line[256];

  snprintf(peer.sun_path, sizeof peer.sun_path, "%s", log_path);
  if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer) < 0)
    die(log_path);
  for (char *ticket = tickets, *end; ticket < tickets + tickets_length; ticket = end + 1) {
    end = memchr(ticket, '\n', (size_t)(tickets + tickets_length - ticket));
    int length = snprintf(line, sizeof line, "<190>Nov 30 12:00:00 nginx: %.*s\t200\t300\t0.001", (int)(end - ticket),
                          ticket);
    if (send(fd, line, (size_t)length, 0) != length)
      die(log_path);
  }
  close(fd);
}

static void readable(struct connection *connection) {
  ssize_t count = recv(connection->socket, connection->answer + connection->length,
                       ANSWER_MAX - 1 - connection->length, 0);
  if (count < 0 && errno == EAGAIN)
    return;
  if (count <= 0) {
    /* nginx may close a connection that nobody uses. */
    if (!connection->began)
      return close_connection(connection);
    wrong(connection, count < 0 ? strerror(errno) : "no answer");
  }
  connection->length += (size_t)count;
  connection->answer[connection->length] = 0;
  size_t length = connection->began ? answer_length(connection) : 0;
  if (length == 0 || connection->length < length)
    return;
  if (connection->length > length)
    wrong(connection, "more than an answer");
  if (log_path)
    keep_ticket(connection);
  if (answered < latencies_max)
    latencies[answered] = (uint32_t)(now() - connection->began);
  answered++;
  connection->began = 0;
  under_way--;
  if (is_last(connection))
    close_connection(connection);
  put_idle(connection);
}

/* Waits for answers until a time. At a socket of this host, where no pod needs this processor, without sleeping: else one
 * who answers slowly would also pay for waking this side, with each answer, and one who answers fast never. */
static void wait_until(uint64_t end) {
  struct epoll_event events[64];
  uint64_t time = now();
  uint64_t left = end > time && address[0] != '/' ? end - time : 0;
  struct timespec most = {.tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND)};
  int count = epoll_pwait2(poller, events, 64, &most, NULL);

  if (count < 0 && errno != EINTR)
    die("epoll_pwait2");
  for (int i = 0; i < count; i++)
    readable(events[i].data.ptr);
}

/* The run */

static void read_requests(const char *path) {
  struct stat facts;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  size_t room = 0;

  if (file < 0 || fstat(file, &facts) < 0)
    die(path);
  const char *text = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
  if (text == MAP_FAILED)
    die(path);
  for (const char *start = text, *end; start < text + facts.st_size; start = end) {
    end = memmem(start, (size_t)(text + facts.st_size - start), "\r\n\r\n", 4);
    if (!end)
      die("a request has no end");
    end += 4;
    if (requests_count == room) {
      room = room ? 2 * room : 1024;
      requests = realloc(requests, room * sizeof *requests);
      if (!requests)
        die("memory");
    }
    requests[requests_count].text = start;
    requests[requests_count++].length = (size_t)(end - start);
  }
}

/* This process before the others: a request that is due is sent, and an answer that came gets its time. */
static void schedule(int policy) {
  struct sched_param own = {.sched_priority = policy == SCHED_FIFO ? 2 : 0};
  struct sched_param others = {.sched_priority = policy == SCHED_FIFO ? 1 : 0};

  for (const char *next = processes; next; next = strchr(next, ','), next = next ? next + 1 : NULL)
    if (sched_setscheduler(atoi(next), policy, &others) < 0)
      die("sched_setscheduler");
  if (processes && sched_setscheduler(0, policy, &own) < 0)
    die("sched_setscheduler");
}

/* Also after an error. */
static void schedule_as_before(void) {
  if (schedule_changed) {
    schedule_changed = false;
    schedule(SCHED_OTHER);
  }
}

static int by_value(const void *a, const void *b) {
  uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
  return (one > other) - (one < other);
}

static double percentile(double part) {
  size_t count = answered < latencies_max ? answered : latencies_max;
  return count ? latencies[(size_t)((double)(count - 1) * part)] / 1000.0 : 0;
}

int main(int count, char **arguments) {
  uint64_t rate = 0, most = UINT64_MAX, duration = UINT64_MAX / 2;
  int option;

  while ((option = getopt(count, arguments, "c:w:r:t:n:s:l:f:")) != -1)
    switch (option) {
    case 'c': connections_count = (unsigned)atoi(optarg); break;
    case 'w': under_way_max = (unsigned)atoi(optarg); break;
    case 'r': rate = (uint64_t)atoll(optarg); break;
    case 't': duration = (uint64_t)atoll(optarg) * 1000000; break;
    case 'n': most = (uint64_t)atoll(optarg); break;
    case 's': status_wanted = atoi(optarg); break;
    case 'l': log_path = optarg; break;
    case 'f': processes = optarg; break;
    default: return 64;
    }
  if (optind + 2 != count || connections_count > CONNECTIONS_MAX || under_way_max == 0) {
    fprintf(stderr, "front-load: see the head of front-load.c\n");
    return 64;
  }
  address = arguments[optind];
  if (rate || under_way_max > connections_count)
    under_way_max = connections_count;
  read_requests(arguments[optind + 1]);
  latencies_max = 1 << 20;
  latencies = calloc(latencies_max, sizeof *latencies);
  tickets = malloc(TICKETS_MAX);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (!latencies || !tickets || poller < 0)
    die("start");
  for (unsigned i = 0; i < connections_count; i++) {
    connections[i].number = i;
    open_connection(&connections[i]);
    put_idle(&connections[i]);
  }
  /* Timers that are due exactly, also without SCHED_FIFO. */
  prctl(PR_SET_TIMERSLACK, 1UL);

  atexit(schedule_as_before);
  schedule_changed = true;
  schedule(SCHED_FIFO);
  uint64_t begun = now(), end = begun + duration;
  while (now() < end && sent < most) {
    uint64_t due = rate ? begun + sent * SECOND / rate : 0;
    while (idle_count > 0 && under_way < under_way_max && sent < most && due <= now()) {
      send_next(rate ? due : now());
      due = rate ? begun + sent * SECOND / rate : 0;
    }
    bool can_send = idle_count > 0 && under_way < under_way_max;
    wait_until(rate && can_send && due < end ? due : end);
  }
  size_t in_time = answered;
  uint64_t ended = now();
  schedule_as_before();
  while (under_way > 0 && now() < ended + 10ULL * SECOND)
    wait_until(ended + 10ULL * SECOND);
  if (under_way > 0) {
    fprintf(stderr, "front-load: %u requests without an answer after 10 s\n", under_way);
    return 1;
  }
  if (sent >= most) {
    in_time = answered;
    ended = now();
  }
  if (log_path)
    say_tickets();
  qsort(latencies, answered < latencies_max ? answered : latencies_max, sizeof *latencies, by_value);
  printf("{\"requests\": %zu, \"rate\": %.1f, \"p50\": %.1f, \"p95\": %.1f, \"p99\": %.1f, \"max\": %.1f}\n", answered,
         (double)in_time * SECOND / (double)(ended - begun), percentile(0.5), percentile(0.95), percentile(0.99),
         percentile(1));
  return 0;
}
