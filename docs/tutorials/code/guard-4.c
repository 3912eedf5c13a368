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

MMU_PLUGIN_EXPORT struct mmu_plugin_verdict guard_verdict(
    void *context, uint64_t gpa, uint32_t access) {
  const struct range *range = context;
  struct mmu_plugin_verdict answer = {MMU_PLUGIN_PROCEED, 0, 0};
  if (access == MMU_PLUGIN_WRITE && gpa - range->start < range->size) {
    range->host->count(range->host->host, "refused", 1);
    answer.verdict = MMU_PLUGIN_INJECT;
    answer.vector = 13;
  }
  return answer;
}

static const struct mmu_plugin_hook hooks[] = {
    {"fault_policy", "guard_verdict",
     "{u32 verdict; u32 vector; u32 error;}(ptr context, u64 gpa, u32 access)"},
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
