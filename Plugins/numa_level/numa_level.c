/*
 * numa_level: guest memory is dealt to nodes in stripes, and each vCPU has a home node. What is at home
 * is mapped as large as it may be; what is remote in 4 KiB pages, so that single pages can be moved to
 * the node that uses them.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings:
 *   nodes    1 to 64; 2 by default. vCPU n lives on node n modulo nodes.
 *   stripe   bytes of a stripe, 2 MiB to 2^40; 1 GiB by default
 *
 * Counts local, remote.
 */
#include "mmu_plugin_settings.h"

struct numa {
  const struct mmu_plugin_host *host;
  uint64_t nodes, stripe;
};

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct numa *numa;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  numa = calloc(1, sizeof *numa);
  if (!numa) return MMU_PLUGIN_FAILED;
  numa->host = host;
  numa->nodes = 2;
  numa->stripe = UINT64_C(1) << 30;
  if (mmu_plugin_number(host, "nodes", 1, 64, &numa->nodes) ||
      mmu_plugin_number(host, "stripe", UINT64_C(1) << 21, UINT64_C(1) << 40, &numa->stripe)) {
    free(numa);
    return MMU_PLUGIN_DECLINED;
  }
  *context = numa;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) { free(context); }

/* One struct in place of eight parameters. */
MMU_PLUGIN_EXPORT uint32_t numa_level(void *context, struct mmu_plugin_fault fault) {
  const struct numa *numa = context;
  const struct mmu_plugin_host *host = numa->host;
  int is_local = fault.gpa / numa->stripe % numa->nodes == fault.vcpu % numa->nodes;
  uint32_t level = fault.largest_level;
  host->count(host->host, is_local ? "local" : "remote", 1);
  if (!is_local) return 1;
  /* No page may reach into the next stripe. */
  while (level > 1 && UINT64_C(1) << (3 + 9 * level) > numa->stripe) level--;
  return level;
}

static const struct mmu_plugin_hook hooks[] = {
    {"mapping_level", "numa_level",
     "u32(ptr context, {u64 gpa; u64 gva; u32 access; u32 flags; u32 largest_level; u32 vcpu;} "
     "fault)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "numa_level",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
