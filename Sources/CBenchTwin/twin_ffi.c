#define _GNU_SOURCE
#include <dlfcn.h>
#include <ffi.h>
#include <stdlib.h>

#include "include/CBenchTwin.h"

struct cbt_ffi {
  void *library;
  void (*verdict)(void);
  void (*mask)(void);
  ffi_cif verdict_cif, mask_cif;
  ffi_type verdict_type, mask_type;
  ffi_type *verdict_parts[4], *mask_parts[4], *verdict_arguments[2], *mask_arguments[3];
};

cbt_ffi *cbt_ffi_open(const char *path, const char *verdict, const char *mask) {
  cbt_ffi *f = calloc(1, sizeof *f);
  if (!f) return NULL;
  f->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (f->library) {
    *(void **)&f->verdict = dlsym(f->library, verdict);
    *(void **)&f->mask = dlsym(f->library, mask);
  }
  f->verdict_type = (ffi_type){.type = FFI_TYPE_STRUCT, .elements = f->verdict_parts};
  f->mask_type = (ffi_type){.type = FFI_TYPE_STRUCT, .elements = f->mask_parts};
  for (int i = 0; i < 3; i++) {
    f->verdict_parts[i] = &ffi_type_uint32;
    f->mask_parts[i] = f->mask_arguments[i] = &ffi_type_uint64;
  }
  f->verdict_arguments[0] = &ffi_type_uint64;
  f->verdict_arguments[1] = &ffi_type_uint32;
  bool prepared =
      ffi_prep_cif(
          &f->verdict_cif, FFI_DEFAULT_ABI, 2, &f->verdict_type, f->verdict_arguments) == FFI_OK &&
      ffi_prep_cif(&f->mask_cif, FFI_DEFAULT_ABI, 3, &f->mask_type, f->mask_arguments) == FFI_OK;
  if (f->verdict && f->mask && prepared) return f;
  cbt_ffi_close(f);
  return NULL;
}

void cbt_ffi_close(cbt_ffi *f) {
  if (f->library) dlclose(f->library);
  free(f);
}

cbt_tally cbt_run_ffi(cbt_ffi *f, uint64_t count) {
  cbt_tally tally = {0, 0};
  for (uint64_t i = 0; i < count; i++) {
    if (i & 7) {
      uint64_t gpa = i << 12;
      uint32_t access = i & 1;
      void *arguments[] = {&gpa, &access};
      struct {
        uint32_t verdict, vector, error;
      } answer;
      ffi_call(&f->verdict_cif, f->verdict, &answer, arguments);
      if (answer.verdict > 4 || answer.vector || answer.error) tally.failures++;
      tally.checksum += answer.verdict;
    } else {
      uint64_t value = i, mask = ~i, access = 0;
      void *arguments[] = {&value, &mask, &access};
      struct {
        uint64_t value, mask, access;
      } answer;
      ffi_call(&f->mask_cif, f->mask, &answer, arguments);
      tally.checksum += answer.value ^ answer.mask ^ answer.access;
    }
  }
  return tally;
}
