/*
 * mmu_plugin.h: the interface between swift-mmu and its plugins. Plain C11, needs nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * A plugin is a shared object that exports one data symbol, the manifest:
 *
 *   MMU_PLUGIN_EXPORT const struct mmu_plugin mmu_plugin_manifest = {
 *     MMU_PLUGIN_HEADER, .name = "mine", .version = "1.0", MMU_PLUGIN_HOOKS(my_hooks),
 *   };
 *
 * It is data and not a function so that a host can judge magic, ABI version and size before any
 * code of the plugin is called. All that the manifest points to (strings, hooks) must lie in the
 * shared object itself.
 *
 * A hook is any exported function. Its signature is text, and says which of the parameters that the
 * hook offers the function takes, by name, in the function's own order:
 *
 *   { "fault_policy", "my_policy", "{u32 verdict; u32 vector; u32 error;}(ptr context, u64 gpa)" }
 *
 * So a function keeps working when a later host offers its hook more parameters. Types: void, bool,
 * i8 i16 i32 i64, u8 u16 u32 u64, f32 f64, ptr (void *), cstr (const char *, UTF-8), and structs by
 * value, {u64 value; u64 mask;} or {u64, u64}. `mmu plugin list-hooks` prints every hook with its
 * parameters and what it returns; `mmu plugin check FILE` tries a plugin.
 *
 * Order of calls: init, then hooks, then fini. fini runs exactly once for every init that returned
 * MMU_PLUGIN_OK, also where the host gives up right after it. Without MMU_PLUGIN_THREAD_SAFE no two
 * functions of the shared object run at the same time. Hooks may call the host's services; the
 * services never call a hook.
 *
 * What a plugin answers is checked: an illegal mask, level or verdict is refused, by name.
 */
#ifndef MMU_PLUGIN_H
#define MMU_PLUGIN_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first eight bytes of a manifest: "MMUPLUG\0" in little-endian memory. */
#define MMU_PLUGIN_MAGIC 0x0047554c50554d4dULL

/*
 * Goes up when something here changes its meaning. Structs may grow at their end without that: both
 * sides say how many bytes they know, and take no notice of what lies behind.
 */
#define MMU_PLUGIN_ABI_VERSION 1u

#if defined(__GNUC__) || defined(__clang__)
#define MMU_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define MMU_PLUGIN_EXPORT
#endif

/* Flags of a manifest. Other bits must be 0. */
#define MMU_PLUGIN_THREAD_SAFE 1u /* hooks may run on several threads at the same time */

/* What init and the services return. */
#define MMU_PLUGIN_OK 0        /* done */
#define MMU_PLUGIN_FAILED (-1) /* not possible: no such memory, not mapped, bad argument */
#define MMU_PLUGIN_DECLINED 1  /* from init: this plugin does not want to serve this machine */

/* What an access does: the parameter `access` of hooks and services. */
#define MMU_PLUGIN_READ 0u
#define MMU_PLUGIN_WRITE 1u
#define MMU_PLUGIN_FETCH 2u

/* Permissions: what gfn_access takes away. */
#define MMU_PLUGIN_MAY_READ 1u
#define MMU_PLUGIN_MAY_WRITE 2u
#define MMU_PLUGIN_MAY_EXECUTE 4u
#define MMU_PLUGIN_MAY_USER 8u

/* Verdicts on a fault, mildest first; of several plugins the strictest verdict counts. */
#define MMU_PLUGIN_PROCEED 0u /* go on as the MMU would */
#define MMU_PLUGIN_EMULATE 1u /* treat the access as MMIO, memslot or not */
#define MMU_PLUGIN_INJECT 2u  /* raise exception `vector` with `error` in the guest */
#define MMU_PLUGIN_DENY 3u    /* the access ends with an error */
#define MMU_PLUGIN_EXIT 4u    /* the machine stops */

/* Memory types, as in MTRRs and EPT entries, and "as without the plugin". */
#define MMU_PLUGIN_UC 0u
#define MMU_PLUGIN_WC 1u
#define MMU_PLUGIN_WT 4u
#define MMU_PLUGIN_WP 5u
#define MMU_PLUGIN_WB 6u
#define MMU_PLUGIN_DEFAULT_TYPE 0xffffffffu

/* Severity of a log line. */
#define MMU_PLUGIN_DEBUG 0
#define MMU_PLUGIN_INFO 1
#define MMU_PLUGIN_WARNING 2
#define MMU_PLUGIN_ERROR 3

/* Answer of mmio_spte_mask: {u64 value; u64 mask; u64 access;}
 * An SPTE with (spte & mask) == value caches "no memslot here"; `access` are the bits of the access
 * (bit 1 write, bit 2 user) that it keeps. Only bits 63, 51:12 and 2:0 may be used. */
struct mmu_plugin_mmio_mask {
  uint64_t value;
  uint64_t mask;
  uint64_t access;
};

/* Answer of fault_policy: {u32 verdict; u32 vector; u32 error;} */
struct mmu_plugin_verdict {
  uint32_t verdict; /* MMU_PLUGIN_PROCEED ... MMU_PLUGIN_EXIT */
  uint32_t vector;  /* 0 ... 31 with MMU_PLUGIN_INJECT, else 0 */
  uint32_t error;   /* the error code with MMU_PLUGIN_INJECT, else 0 */
};

/* Answer of memory_type: {u32 type; u32 ignore_pat;} */
struct mmu_plugin_memory_type {
  uint32_t type;       /* MMU_PLUGIN_UC ... MMU_PLUGIN_WB, or MMU_PLUGIN_DEFAULT_TYPE */
  uint32_t ignore_pat; /* 1: the type wins over the guest's PAT; else 0 */
};

/* Parameter `fault` of the hooks that are asked per fault, where one struct is handier than its
 * parts: {u64 gpa; u64 gva; u32 access; u32 flags; u32 largest_level; u32 vcpu;} */
struct mmu_plugin_fault {
  uint64_t gpa;
  uint64_t gva;           /* 0 where hardware does not say */
  uint32_t access;        /* MMU_PLUGIN_READ, _WRITE, _FETCH */
  uint32_t flags;         /* MMU_PLUGIN_FAULT_... */
  uint32_t largest_level; /* 1 = 4 KiB */
  uint32_t vcpu;
};
#define MMU_PLUGIN_FAULT_USER 1u    /* the guest was in user mode */
#define MMU_PLUGIN_FAULT_SLOT 2u    /* a memslot holds the address */
#define MMU_PLUGIN_FAULT_HAS_GVA 4u /* gva is valid */

/*
 * What the host does for a plugin. `host` is the first argument of every function. The table stays
 * valid until fini has returned; functions beyond struct_size do not exist.
 */
struct mmu_plugin_host {
  uint32_t abi_version;
  uint32_t struct_size; /* bytes of this struct that the host knows */
  void *host;
  /* One line for the user; at most 4096 bytes are kept. */
  void (*log)(void *host, int32_t severity, const char *message);
  /* Copies guest-physical memory; all of it or nothing. */
  int32_t (*read_guest)(void *host, uint64_t gpa, void *bytes, uint64_t size);
  int32_t (*write_guest)(void *host, uint64_t gpa, const void *bytes, uint64_t size);
  /* What a vCPU's page tables say; changes no A or D bit and raises nothing in the guest. `user` is
   * 0 or 1. *gpa is written on MMU_PLUGIN_OK only. */
  int32_t (*translate)(
      void *host, uint32_t vcpu, uint64_t gva, uint32_t access, uint32_t user, uint64_t *gpa);
  /* Adds to a counter of the plugin's own, shown in the machine's statistics. */
  void (*count)(void *host, const char *counter, uint64_t amount);
  /* A setting the user gave this plugin, or NULL; valid until fini has returned. */
  const char *(*setting)(void *host, const char *key);
};

/* A function that serves a hook. */
struct mmu_plugin_hook {
  const char *name;      /* the hook, such as "fault_policy" */
  const char *symbol;    /* the exported function */
  const char *signature; /* its return type and parameters */
};

/* The manifest. */
struct mmu_plugin {
  uint64_t magic;       /* MMU_PLUGIN_MAGIC */
  uint32_t abi_version; /* MMU_PLUGIN_ABI_VERSION */
  uint32_t struct_size; /* sizeof(struct mmu_plugin) */
  const char *name;     /* letters, digits, '-', '_', '.'; 1 to 64 of them */
  const char *version;
  uint64_t flags;
  /* May be NULL. Stores what the hooks shall get as `context`. Anything but MMU_PLUGIN_OK declines:
   * the load fails, and fini is not called. */
  int32_t (*init)(const struct mmu_plugin_host *host, void **context);
  /* May be NULL. */
  void (*fini)(void *context);
  const struct mmu_plugin_hook *hooks;
  uint32_t hook_count;
  uint32_t hook_size; /* sizeof(struct mmu_plugin_hook) */
};

/* The first three members of a manifest. */
#define MMU_PLUGIN_HEADER \
  .magic = MMU_PLUGIN_MAGIC, .abi_version = MMU_PLUGIN_ABI_VERSION, \
  .struct_size = sizeof(struct mmu_plugin)

/* The last three members of a manifest, for an array of hooks. */
#define MMU_PLUGIN_HOOKS(array) \
  .hooks = (array), .hook_count = sizeof(array) / sizeof(array)[0], .hook_size = sizeof(array)[0]

/* The one symbol that the host looks for. */
MMU_PLUGIN_EXPORT extern const struct mmu_plugin mmu_plugin_manifest;

#ifdef __cplusplus
}
#endif

#endif
