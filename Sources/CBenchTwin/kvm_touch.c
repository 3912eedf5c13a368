#define _GNU_SOURCE
#include "include/CBenchTwin.h"

#if defined(__linux__) && defined(__x86_64__)
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CODE_SLOT = 0, DATA_SLOT = 1, DATA = 1 << 20 };

struct cbt_kvm {
  int kvm, machine, vcpu;
  struct kvm_run *run;
  size_t run_size, pages;
  void *code, *data;
};

static bool set_slot(cbt_kvm *k, uint32_t slot, uint64_t gpa, void *bytes, uint64_t size) {
  struct kvm_userspace_memory_region region = {
      .slot = slot,
      .guest_phys_addr = gpa,
      .memory_size = size,
      .userspace_addr = (uintptr_t)bytes,
  };
  return ioctl(k->machine, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

static void *reserve(size_t size) {
  void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return bytes == MAP_FAILED ? NULL : bytes;
}

/// Protected mode without paging, flat segments.
static bool set_mode(cbt_kvm *k) {
  struct kvm_sregs s;
  if (ioctl(k->vcpu, KVM_GET_SREGS, &s)) return false;
  struct kvm_segment flat = {
      .limit = 0xFFFFFFFF, .selector = 8, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1};
  s.cs = flat;
  flat.type = 3;
  flat.selector = 16;
  s.ds = s.es = s.fs = s.gs = s.ss = flat;
  s.cr0 |= 1;
  return ioctl(k->vcpu, KVM_SET_SREGS, &s) == 0;
}

cbt_kvm *cbt_kvm_make(uint64_t pages) {
  // Again: MOV EAX, [EBX]; ADD EBX, 4096; DEC ECX; JNZ Again; HLT.
  static const uint8_t code[] = {
      0x8B, 0x03, 0x81, 0xC3, 0x00, 0x10, 0x00, 0x00, 0x49, 0x75, 0xF5, 0xF4};
  cbt_kvm *k = calloc(1, sizeof *k);
  if (!k) return NULL;
  k->pages = pages;
  k->machine = k->vcpu = -1;
  k->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (k->kvm >= 0 && ioctl(k->kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION)
    k->machine = ioctl(k->kvm, KVM_CREATE_VM, 0);
  if (k->machine >= 0) k->vcpu = ioctl(k->machine, KVM_CREATE_VCPU, 0);
  int size = k->vcpu >= 0 ? ioctl(k->kvm, KVM_GET_VCPU_MMAP_SIZE, 0) : -1;
  if (size > 0) {
    k->run_size = (size_t)size;
    void *run = mmap(NULL, k->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, k->vcpu, 0);
    k->run = run == MAP_FAILED ? NULL : run;
  }
  k->code = reserve(4096);
  k->data = reserve(pages << 12);
  if (!k->run || !k->code || !k->data || !set_mode(k) ||
      !set_slot(k, CODE_SLOT, 0, k->code, 4096)) {
    cbt_kvm_free(k);
    return NULL;
  }
  memcpy(k->code, code, sizeof code);
  // Small pages of the host's, all there: what is timed is the second level.
  madvise(k->data, pages << 12, MADV_NOHUGEPAGE);
  for (uint64_t i = 0; i < pages; i++) ((volatile uint8_t *)k->data)[i << 12] = 1;
  return k;
}

void cbt_kvm_free(cbt_kvm *k) {
  if (k->run) munmap(k->run, k->run_size);
  if (k->vcpu >= 0) close(k->vcpu);
  if (k->machine >= 0) close(k->machine);
  if (k->kvm >= 0) close(k->kvm);
  if (k->code) munmap(k->code, 4096);
  if (k->data) munmap(k->data, k->pages << 12);
  free(k);
}

bool cbt_kvm_forget(cbt_kvm *k) {
  set_slot(k, DATA_SLOT, DATA, k->data, 0);
  struct kvm_regs registers = {.rbx = DATA, .rcx = k->pages, .rflags = 2};
  return set_slot(k, DATA_SLOT, DATA, k->data, k->pages << 12) &&
         ioctl(k->vcpu, KVM_SET_REGS, &registers) == 0;
}

cbt_tally cbt_kvm_run_touches(cbt_kvm *k) {
  struct kvm_regs registers;
  if (ioctl(k->vcpu, KVM_RUN, 0) || k->run->exit_reason != KVM_EXIT_HLT ||
      ioctl(k->vcpu, KVM_GET_REGS, &registers))
    return (cbt_tally){0, k->pages};
  return (cbt_tally){registers.rbx - DATA, (uint32_t)registers.rcx};
}

#else

cbt_kvm *cbt_kvm_make(uint64_t pages) { return (void)pages, (cbt_kvm *)0; }
void cbt_kvm_free(cbt_kvm *k) { (void)k; }
bool cbt_kvm_forget(cbt_kvm *k) { return (void)k, false; }
cbt_tally cbt_kvm_run_touches(cbt_kvm *k) { return (void)k, (cbt_tally){0, 1}; }

#endif
