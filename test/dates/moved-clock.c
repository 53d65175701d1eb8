/*
 * Preloaded into a process, this moves its clock by MOVED_CLOCK_SECONDS: what C calls CLOCK_REALTIME, and nothing else.
 * Monotonic clocks, timers, sleeps and the times of files stay real. libfaketime would do more, but under it the
 * timeouts of Postgres (lock_timeout, statement_timeout) never fire.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static long long moved_seconds;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_sem_timedwait)(sem_t *, const struct timespec *);

/* Looked up before main, because a signal handler must not look up a symbol. */
__attribute__((constructor)) static void set_up(void) {
  const char *seconds = getenv("MOVED_CLOCK_SECONDS");
  moved_seconds = seconds == NULL ? 0 : atoll(seconds);
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_sem_timedwait = dlsym(RTLD_NEXT, "sem_timedwait");
}

int clock_gettime(clockid_t clock, struct timespec *at) {
  if (real_clock_gettime == NULL) set_up();
  int result = real_clock_gettime(clock, at);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    at->tv_sec += moved_seconds;
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  if (result == 0) {
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
  }
  return result;
}

time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at != NULL) *at = now.tv_sec;
  return now.tv_sec;
}

/* The deadline was read from the moved clock, but the kernel compares it with the real one. */
int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict deadline) {
  struct timespec real = *deadline;
  real.tv_sec -= moved_seconds;
  return real_sem_timedwait(semaphore, &real);
}
