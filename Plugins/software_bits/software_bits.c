/*
 * software_bits: moves the MMU's own bits of an entry, so that hardware or a host may have the old ones.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Settings, each a bit number, 0 to 63:
 *   host     host-writable   (without the setting 55 in EPT, which gives bit 57 to guest-paging
 *                             verification; elsewhere where it is)
 *   mmu      MMU-writable    (59 in EPT, which gives bit 58 to paging-write access)
 *   present  MMU-present     (where it is)
 *   kind     the lower bit of the A/D kind (where it is)
 * Whether the bits are free the host judges, and names who has them if not.
 */
#include <string.h>

#include "mmu_plugin_settings.h"

/* What a setting that is not given looks like. */
enum { UNSET = 64 };

struct bits {
  uint64_t host, mmu, present, kind;
};

struct layout {
  uint64_t non_present, frozen, mmu_present, ad_kind, host_writable, mmu_writable;
};

static int32_t start(const struct mmu_plugin_host *host, void **context) {
  struct bits *bits;
  int32_t status = MMU_PLUGIN_OK;
  if (host->struct_size < sizeof *host) return MMU_PLUGIN_DECLINED;
  bits = malloc(sizeof *bits);
  if (!bits) return MMU_PLUGIN_FAILED;
  bits->host = bits->mmu = bits->present = bits->kind = UNSET;
  if (!status) status = mmu_plugin_number(host, "host", 0, 63, &bits->host);
  if (!status) status = mmu_plugin_number(host, "mmu", 0, 63, &bits->mmu);
  if (!status) status = mmu_plugin_number(host, "present", 0, 63, &bits->present);
  if (!status) status = mmu_plugin_number(host, "kind", 0, 62, &bits->kind);
  if (status) {
    free(bits);
    return status;
  }
  *context = bits;
  return MMU_PLUGIN_OK;
}

static void stop(void *context) { free(context); }

static uint64_t choose(uint64_t bit, uint64_t mask) {
  return bit == UNSET ? mask : UINT64_C(1) << bit;
}

MMU_PLUGIN_EXPORT struct layout software_bits(
    void *context, const char *encoder, uint64_t non_present, uint64_t frozen, uint64_t mmu_present,
    uint64_t ad_kind, uint64_t host_writable, uint64_t mmu_writable) {
  const struct bits *bits = context;
  struct layout answer = {non_present, frozen, mmu_present, ad_kind, host_writable, mmu_writable};
  if (!strcmp(encoder, "ept")) {
    answer.host_writable = UINT64_C(1) << 55;
    answer.mmu_writable = UINT64_C(1) << 59;
  }
  answer.host_writable = choose(bits->host, answer.host_writable);
  answer.mmu_writable = choose(bits->mmu, answer.mmu_writable);
  answer.mmu_present = choose(bits->present, answer.mmu_present);
  if (bits->kind != UNSET) answer.ad_kind = UINT64_C(3) << bits->kind;
  return answer;
}

static const struct mmu_plugin_hook hooks[] = {
    {"spte_layout", "software_bits",
     "{u64 non_present; u64 frozen; u64 mmu_present; u64 ad_kind; u64 host_writable; "
     "u64 mmu_writable;}(ptr context, cstr encoder, u64 non_present, u64 frozen, u64 mmu_present, "
     "u64 ad_kind, u64 host_writable, u64 mmu_writable)"},
};

const struct mmu_plugin mmu_plugin_manifest = {
    MMU_PLUGIN_HEADER,
    .name = "software_bits",
    .version = "1.0",
    .flags = MMU_PLUGIN_THREAD_SAFE,
    .init = start,
    .fini = stop,
    MMU_PLUGIN_HOOKS(hooks),
};
