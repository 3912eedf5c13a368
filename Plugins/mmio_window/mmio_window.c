/*
 * mmio_window: another MMIO mask for EPT, and a window of guest-physical addresses with a verdict of
 * its own.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings:
 *   ept-mask        reserved (default): MMIO entries also set address bit 51, which is reserved where
 *                   MAXPHYADDR is below 52. Such an entry stays a misconfiguration whatever its
 *                   rights are, and is told from all others at sight in a dump.
 *                   write-only: value 2, write without read, which is a misconfiguration at every
 *                   MAXPHYADDR. Serves where reserved cannot.
 *                   default: the host's own mask.
 *   window-start    first address; a number as C writes it
 *   window-size     bytes; without it there is no window
 *   window-verdict  deny (default), emulate, inject, exit
 *   window-vector   the exception of `inject`, 13 by default
 *   window-error    its error code, 0 by default
 *   window-access   which accesses: letters of rwx, all by default
 *
 * Counts asked, hits. Declines settings that it does not understand.
 */
#include <string.h>

#include "mmu_plugin_settings.h"

enum mask_choice { MASK_DEFAULT, MASK_RESERVED, MASK_WRITE_ONLY };

struct window {
  const struct mmu_plugin_host *host;
  enum mask_choice mask;
  uint64_t start;
  uint64_t size;
  uint32_t accesses; /* bit n: access n */
  struct mmu_plugin_verdict verdict;
};

static const uint64_t rights = 7;
static const uint64_t suppress_ve = UINT64_C(1) << 63;
static const uint64_t bit51 = UINT64_C(1) << 51;

static int read_mask(struct window *window) {
  static const char *const names[] = {"default", "reserved", "write-only"};
  const char *text = window->host->setting(window->host->host, "ept-mask");
  window->mask = MASK_RESERVED;
  if (!text) return MMU_PLUGIN_OK;
  for (unsigned i = 0; i < 3; i++)
    if (!strcmp(text, names[i])) {
      window->mask = (enum mask_choice)i;
      return MMU_PLUGIN_OK;
    }
  return mmu_plugin_refuse(window->host, "ept-mask", text);
}

static int read_verdict(struct window *window) {
  const struct mmu_plugin_host *host = window->host;
  const char *text = host->setting(host->host, "window-verdict");
  uint64_t vector = 13, error = 0;
  if (mmu_plugin_number(host, "window-vector", 0, 31, &vector) ||
      mmu_plugin_number(host, "window-error", 0, UINT32_MAX, &error))
    return MMU_PLUGIN_DECLINED;
  if (!text || !strcmp(text, "deny")) {
    window->verdict.verdict = MMU_PLUGIN_DENY;
  } else if (!strcmp(text, "emulate")) {
    window->verdict.verdict = MMU_PLUGIN_EMULATE;
  } else if (!strcmp(text, "exit")) {
    window->verdict.verdict = MMU_PLUGIN_EXIT;
  } else if (!strcmp(text, "inject")) {
    window->verdict.verdict = MMU_PLUGIN_INJECT;
    window->verdict.vector = (uint32_t)vector;
    window->verdict.error = (uint32_t)error;
  } else {
    return mmu_plugin_refuse(host, "window-verdict", text);
  }
  return MMU_PLUGIN_OK;
}

static int read_accesses(struct window *window) {
  const char *text = window->host->setting(window->host->host, "window-access");
  const char *letters = "rwx";
  if (!text) {
    window->accesses = 7;
    return MMU_PLUGIN_OK;
  }
  for (const char *one = text; *one; one++) {
    const char *place = strchr(letters, *one);
    if (!place) return mmu_plugin_refuse(window->host, "window-access", text);
    window->accesses |= 1u << (place - letters);
  }
  return MMU_PLUGIN_OK;
}

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct window *window;
  /* Everything up to `setting` is used. */
  if (host->struct_size < sizeof(struct mmu_plugin_host)) return MMU_PLUGIN_DECLINED;
  window = calloc(1, sizeof *window);
  if (!window) return MMU_PLUGIN_FAILED;
  window->host = host;
  if (read_mask(window) || mmu_plugin_number(host, "window-start", 0, UINT64_MAX, &window->start) ||
      mmu_plugin_number(host, "window-size", 0, UINT64_MAX, &window->size) || read_verdict(window) ||
      read_accesses(window)) {
    free(window);
    return MMU_PLUGIN_DECLINED;
  }
  if (window->size && window->start + (window->size - 1) < window->start) {
    free(window);
    return mmu_plugin_refuse(host, "window-size", host->setting(host->host, "window-size"));
  }
  *context = window;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) {
  struct window *window = context;
  window->host->log(window->host->host, MMU_PLUGIN_DEBUG, "the window is closed");
  free(window);
}

MMU_PLUGIN_EXPORT struct mmu_plugin_mmio_mask mmio_window_mask(
    const char *encoder, uint32_t maxphyaddr, uint64_t default_value, uint64_t default_mask,
    uint64_t default_access, void *context) {
  const struct window *window = context;
  struct mmu_plugin_mmio_mask answer = {default_value, default_mask, default_access};
  enum mask_choice choice = window->mask;
  char line[128];
  if (strcmp(encoder, "ept") != 0 || choice == MASK_DEFAULT) return answer;
  if (choice == MASK_RESERVED && maxphyaddr >= 52) choice = MASK_WRITE_ONLY;
  answer.access = 0;
  if (choice == MASK_RESERVED) {
    answer.value = bit51 | 6;
    answer.mask = bit51 | rights | suppress_ve;
  } else {
    answer.value = 2;
    answer.mask = rights | suppress_ve;
  }
  snprintf(
      line, sizeof line, "MMIO entries: value 0x%llx, mask 0x%llx",
      (unsigned long long)answer.value, (unsigned long long)answer.mask);
  window->host->log(window->host->host, MMU_PLUGIN_INFO, line);
  return answer;
}

MMU_PLUGIN_EXPORT struct mmu_plugin_verdict mmio_window_verdict(
    void *context, uint64_t gpa, uint32_t access) {
  const struct window *window = context;
  const struct mmu_plugin_host *host = window->host;
  const struct mmu_plugin_verdict proceed = {MMU_PLUGIN_PROCEED, 0, 0};
  host->count(host->host, "asked", 1);
  if (gpa - window->start >= window->size || !(window->accesses >> access & 1)) return proceed;
  host->count(host->host, "hits", 1);
  return window->verdict;
}

static const struct mmu_plugin_hook hooks[] = {
    {"mmio_spte_mask", "mmio_window_mask",
     "{u64 value; u64 mask; u64 access;}(cstr encoder, u32 maxphyaddr, u64 default_value, "
     "u64 default_mask, u64 default_access, ptr context)"},
    {"fault_policy", "mmio_window_verdict",
     "{u32 verdict; u32 vector; u32 error;}(ptr context, u64 gpa, u32 access)"},
};

/* Nothing changes after init, and the services may be used on any thread. */
const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "mmio_window",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
