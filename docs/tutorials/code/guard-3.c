#include <stdlib.h>

#include "mmu_plugin.h"

struct range {
  const struct mmu_plugin_host *host;
  uint64_t start, size;
};

static uint64_t number(const struct mmu_plugin_host *host, const char *key) {
  const char *text = host->setting(host->host, key);
  return text ? strtoull(text, 0, 0) : 0;
}

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct range *range;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  range = calloc(1, sizeof *range);
  if (!range) return MMU_PLUGIN_FAILED;
  range->host = host;
  range->start = number(host, "start");
  range->size = number(host, "size");
  *context = range;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) { free(context); }

MMU_PLUGIN_EXPORT uint32_t guard_verdict(void *context, uint64_t gpa) {
  const struct range *range = context;
  return gpa - range->start < range->size ? MMU_PLUGIN_DENY : MMU_PLUGIN_PROCEED;
}

static const struct mmu_plugin_hook hooks[] = {
    {"fault_policy", "guard_verdict", "u32(ptr context, u64 gpa)"},
};

MMU_PLUGIN_EXPORT const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "guard",
    .version = "0.1",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
