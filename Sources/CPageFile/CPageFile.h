/// A file in memory, whose call the Swift overlays of the C libraries do not show.
#ifndef CPAGEFILE_H
#define CPAGEFILE_H

#include <fcntl.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>

/// A file without a name, closed on exec; negative where there is none.
static inline int cpagefile_open(void) {
  return (int)syscall(SYS_memfd_create, "swift-mmu pages", 1u /* MFD_CLOEXEC */);
}
#else
#include <stdlib.h>

/// A file without a name, closed on exec; negative where there is none.
static inline int cpagefile_open(void) {
  char path[] = "/tmp/swift-mmu-XXXXXX";
  int file = mkstemp(path);
  if (file < 0) return file;
  unlink(path);
  fcntl(file, F_SETFD, FD_CLOEXEC);
  return file;
}
#endif

#endif
