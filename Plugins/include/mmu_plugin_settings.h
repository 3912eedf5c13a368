/*
 * mmu_plugin_settings.h: settings as numbers, for the plugins of this folder. Not part of the
 * interface.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef MMU_PLUGIN_SETTINGS_H
#define MMU_PLUGIN_SETTINGS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mmu_plugin.h"

/* Says why, and what init returns then. */
static inline int32_t mmu_plugin_refuse(
    const struct mmu_plugin_host *host, const char *key, const char *value) {
  char line[256];
  snprintf(line, sizeof line, "setting %s: '%s' is not understood", key, value);
  host->log(host->host, MMU_PLUGIN_ERROR, line);
  return MMU_PLUGIN_DECLINED;
}

/* A number as C writes it, least to most; *number stays where the setting is not given. */
static inline int32_t mmu_plugin_number(
    const struct mmu_plugin_host *host, const char *key, uint64_t least, uint64_t most,
    uint64_t *number) {
  const char *text = host->setting(host->host, key);
  char *end;
  unsigned long long value;
  if (!text) return MMU_PLUGIN_OK;
  errno = 0;
  value = strtoull(text, &end, 0);
  if (errno || end == text || *end || text[0] == '-' || value < least || value > most)
    return mmu_plugin_refuse(host, key, text);
  *number = value;
  return MMU_PLUGIN_OK;
}

#endif
