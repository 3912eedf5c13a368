#ifndef CKVM_H
#define CKVM_H

// /dev/kvm for Swift: the structs are the kernel's own; ioctl is variadic and its numbers are made by
// macros, so both get a name here.
#if defined(__linux__) && defined(__x86_64__)
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const unsigned long ckvm_get_api_version = KVM_GET_API_VERSION;
static const unsigned long ckvm_create_vm = KVM_CREATE_VM;
static const unsigned long ckvm_create_vcpu = KVM_CREATE_VCPU;
static const unsigned long ckvm_get_vcpu_mmap_size = KVM_GET_VCPU_MMAP_SIZE;
static const unsigned long ckvm_set_memory = KVM_SET_USER_MEMORY_REGION;
static const unsigned long ckvm_get_supported_cpuid = KVM_GET_SUPPORTED_CPUID;
static const unsigned long ckvm_set_cpuid = KVM_SET_CPUID2;
static const unsigned long ckvm_get_sregs = KVM_GET_SREGS;
static const unsigned long ckvm_set_sregs = KVM_SET_SREGS;
static const unsigned long ckvm_get_regs = KVM_GET_REGS;
static const unsigned long ckvm_set_regs = KVM_SET_REGS;

/// ioctl with a number; the result, or -1 with errno.
static inline int ckvm_ioctl(int descriptor, unsigned long request, uint64_t argument) {
  return ioctl(descriptor, request, argument);
}

/// ioctl with a struct.
static inline int ckvm_ioctl_pointer(int descriptor, unsigned long request, void *argument) {
  return ioctl(descriptor, request, argument);
}

/// What KVM_RUN left behind: the exit's reason, and the address of an MMIO exit.
struct ckvm_exit {
  uint32_t reason;
  uint64_t mmio_address;
  bool is_mmio_write;
};

static inline struct ckvm_exit ckvm_last_exit(const struct kvm_run *run) {
  return (struct ckvm_exit){run->exit_reason, run->mmio.phys_addr, run->mmio.is_write != 0};
}

static inline void ckvm_interrupted(int signal) { (void)signal; }

/// KVM_RUN, given up after some milliseconds (then -1 with EINTR): a guest may loop.
static inline int ckvm_run(int vcpu, uint32_t milliseconds) {
  struct sigaction action = {.sa_handler = ckvm_interrupted};
  struct sigaction before;
  int signal = SIGRTMIN + 3;
  if (sigaction(signal, &action, &before)) return -1;
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = signal;
  event._sigev_un._tid = (int)syscall(SYS_gettid);
  timer_t timer;
  int result = timer_create(CLOCK_MONOTONIC, &event, &timer);
  if (result == 0) {
    // Again and again: a signal that comes before the guest is entered would be lost.
    struct timespec span = {milliseconds / 1000, (long)(milliseconds % 1000) * 1000000};
    struct itimerspec when = {.it_interval = span, .it_value = span};
    timer_settime(timer, 0, &when, 0);
    result = ioctl(vcpu, KVM_RUN, 0);
    int kept = errno;
    timer_delete(timer);
    errno = kept;
  }
  int kept = errno;
  sigaction(signal, &before, 0);
  errno = kept;
  return result;
}

/// The supported CPUID leaves, given to a vCPU with another MAXPHYADDR and vendor and with SMEP, SMAP and
/// 1 GiB pages, whether or not KVM will do as they say.
static inline int ckvm_give_cpuid(
    int system, int vcpu, uint32_t physical_address_width, bool is_intel) {
  enum { COUNT = 256 };
  struct {
    struct kvm_cpuid2 head;
    struct kvm_cpuid_entry2 entries[COUNT];
  } table;
  memset(&table, 0, sizeof table);
  table.head.nent = COUNT;
  if (ioctl(system, KVM_GET_SUPPORTED_CPUID, &table)) return -1;
  const char *vendor = is_intel ? "GenuntelineI" : "AuthcAMDenti";  // EBX, ECX, EDX
  for (uint32_t i = 0; i < table.head.nent; i++) {
    struct kvm_cpuid_entry2 *entry = &table.entries[i];
    switch (entry->function) {
    case 0:
    case 0x80000000u: memcpy(&entry->ebx, vendor, 12); break;
    case 7:
      if (entry->index == 0) entry->ebx |= 1u << 7 | 1u << 20;
      break;
    case 0x80000001u: entry->edx |= 1u << 26; break;
    case 0x80000008u: entry->eax = (entry->eax & ~0xFFu) | physical_address_width; break;
    }
  }
  return ioctl(vcpu, KVM_SET_CPUID2, &table);
}

#endif
#endif
