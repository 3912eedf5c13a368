#ifndef CFFI_SHIM_H
#define CFFI_SHIM_H

#include <ffi.h>
#include <link.h>

/* libffi's type descriptors are mutable globals, which Swift 6 does not touch; libffi itself only
 * reads them. */
static inline ffi_type *cffi_void(void) { return &ffi_type_void; }
static inline ffi_type *cffi_uint8(void) { return &ffi_type_uint8; }
static inline ffi_type *cffi_sint8(void) { return &ffi_type_sint8; }
static inline ffi_type *cffi_uint16(void) { return &ffi_type_uint16; }
static inline ffi_type *cffi_sint16(void) { return &ffi_type_sint16; }
static inline ffi_type *cffi_uint32(void) { return &ffi_type_uint32; }
static inline ffi_type *cffi_sint32(void) { return &ffi_type_sint32; }
static inline ffi_type *cffi_uint64(void) { return &ffi_type_uint64; }
static inline ffi_type *cffi_sint64(void) { return &ffi_type_sint64; }
static inline ffi_type *cffi_float(void) { return &ffi_type_float; }
static inline ffi_type *cffi_double(void) { return &ffi_type_double; }
static inline ffi_type *cffi_pointer(void) { return &ffi_type_pointer; }

/* glibc declares it for _GNU_SOURCE alone, which an importer may or may not define. */
int dlinfo(void *, int, void *);

/* Where the loader put an object, as the number to add to its own addresses; 0 on success. */
static inline int cffi_load_bias(void *handle, unsigned long *bias) {
  struct link_map *map = 0;
  if (dlinfo(handle, 2 /* RTLD_DI_LINKMAP */, &map) != 0 || !map) return -1;
  *bias = map->l_addr;
  return 0;
}

#endif
