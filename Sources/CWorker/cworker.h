#ifndef CWORKER_H
#define CWORKER_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The descriptor on which a worker finds its socket. */
#define CWORKER_SOCKET 3

/* Starts a program with one end of a socket pair; 0, and the other end, or an errno. */
static inline int cworker_start(
    const char *path, char *const *argv, int *socket_end, pid_t *process) {
  int ends[2];
  posix_spawn_file_actions_t actions;
  int error;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return errno;
  error = posix_spawn_file_actions_init(&actions);
  if (!error) {
    error = posix_spawn_file_actions_adddup2(&actions, ends[1], CWORKER_SOCKET);
    if (!error) error = posix_spawn(process, path, &actions, 0, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
  }
  close(ends[1]);
  if (error) {
    close(ends[0]);
    return error;
  }
  *socket_end = ends[0];
  return 0;
}

/* 0 where the whole frame went out. */
static inline int cworker_send(int socket, const void *frame, size_t size) {
  ssize_t count;
  do count = send(socket, frame, size, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  return count == (ssize_t)size ? 0 : -1;
}

/* 1 for a frame, 0 where the other side is gone, -1 where it is late; no limit below 0. */
static inline int cworker_receive(int socket, void *frame, size_t size, int milliseconds) {
  struct pollfd wait = {.fd = socket, .events = POLLIN};
  ssize_t count;
  int ready;
  if (milliseconds >= 0) {
    do ready = poll(&wait, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    if (ready == 0) return -1;
  }
  do count = recv(socket, frame, size, 0);
  while (count < 0 && errno == EINTR);
  return count == (ssize_t)size ? 1 : 0;
}

/* Waits until a process has ended: the signal that ended it, or -1 - its exit status. */
static inline int cworker_reap(pid_t process) {
  int status = 0;
  pid_t ended;
  do ended = waitpid(process, &status, 0);
  while (ended < 0 && errno == EINTR);
  if (ended != process) return -1;
  return WIFSIGNALED(status) ? WTERMSIG(status) : -1 - WEXITSTATUS(status);
}

/* Lets a crash end the process without a word: the machine on the other side tells of it. */
static inline void cworker_crash_quietly(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTRAP};
  for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++) signal(signals[i], SIG_DFL);
}

static inline void *cworker_watch(void *unused) {
  struct pollfd wait = {.fd = CWORKER_SOCKET, .events = 0x2000 /* POLLRDHUP, which glibc shows for _GNU_SOURCE alone */};
  while (poll(&wait, 1, -1) < 0 && errno == EINTR) continue;
  /* Time for fini, if the plugin is not caught in an endless loop. */
  sleep(2);
  _exit(1);
  return unused;
}

/* Ends this process soon after the other end of its socket has gone. */
static inline int cworker_end_with_parent(void) {
  pthread_t thread;
  int error = pthread_create(&thread, 0, cworker_watch, 0);
  if (!error) pthread_detach(thread);
  return error;
}

#endif
