#include "twin_format.h"

static bool grants(const twin_format *f, uint8_t access, bool write, bool user, bool execute) {
  if ((access & CBT_USER) && !user) return false;
  if ((access & CBT_FETCH) && !execute) return false;
  if ((access & CBT_WRITE) && ((access & CBT_USER) || f->write_protect) && !write) return false;
  if (!user || (access & CBT_USER)) return true;
  if (access & CBT_FETCH) return !f->smep;
  return !f->smap || ((access & CBT_ALIGNMENT_CHECK) && !(access & CBT_IMPLICIT));
}

static uint16_t verdict(const twin_format *f, uint8_t access) {
  unsigned row = 0;
  for (unsigned i = 0; i < 8; i++)
    if (grants(f, access, i & 1, i & 2, i & 4)) row |= 1u << i;
  if (!(access & CBT_FETCH)) row |= 1u << 8;
  if ((access & CBT_WRITE) && ((access & CBT_USER) || f->write_protect)) row |= 2u << 8;
  return (uint16_t)row;
}

twin_format twin_make_format(const cbt_setup *setup) {
  bool is_long = setup->mode == CBT_LONG4 || setup->mode == CBT_LONG5;
  bool nx = setup->efer >> 11 & 1;
  uint64_t physical = (UINT64_C(1) << setup->physical_width) - 1;
  twin_format f = {
      .write_protect = setup->cr0 >> 16 & 1,
      .smep = setup->cr4 >> 20 & 1,
      .smap = setup->cr4 >> 21 & 1,
      .user_keys = is_long && (setup->cr4 >> 22 & 1),
      .shadow_stacks = setup->cr4 >> 23 & 1,
      .supervisor_keys = is_long && (setup->cr4 >> 24 & 1),
      .lass = setup->cr4 >> 27 & 1,
      .pse = setup->cr4 >> 4 & 1,
  };
  f.pkru = f.user_keys ? setup->pkru : 0;
  f.pkrs = f.supervisor_keys ? setup->pkrs : 0;
  for (uint8_t access = 0; access < 32; access++) f.verdicts[access] = verdict(&f, access);
  f.reports_fetch = (nx && (setup->cr4 >> 5 & 1)) || f.smep;
  for (int i = 0; i < 4; i++) f.pdptes[i] = setup->pdptes[i];
  uint64_t no_execute = nx ? 0 : EXECUTE;
  switch (setup->mode) {
    case CBT_LONG4:
    case CBT_LONG5: {
      unsigned width = setup->mode == CBT_LONG4 ? 48 : 57;
      f.sign_shift = (uint8_t)(64 - width);
      f.user_width = setup->cr3 >> 61 & 1 ? 57 : setup->cr3 >> 62 & 1 ? 48 : 0;
      f.supervisor_width = setup->cr4 >> 28 & 1 ? (uint8_t)width : 0;
      f.special = f.lass || f.user_width || f.supervisor_width;
      f.address_mask = physical & ~UINT64_C(0xFFF);
      f.root = setup->cr3 & f.address_mask;
      f.reserved_always = (UINT64_C(0x000FFFFFFFFFFFFF) & ~physical) | no_execute;
      f.reserved_top = f.reserved_always | LARGE | (setup->amd ? 0x100 : 0);
      f.reserved_directory = f.reserved_always | 0x1FE000;
      f.reserved_gigabyte = f.reserved_always | 0x3FFFE000 | (setup->gigabyte_pages ? 0 : LARGE);
      break;
    }
    case CBT_PAE:
      f.address_mask = physical & ~UINT64_C(0xFFF);
      f.reserved_always = (~EXECUTE & ~physical) | no_execute;
      f.reserved_directory = f.reserved_always | 0x1FE000;
      break;
    case CBT_LEGACY32: {
      unsigned width = setup->physical_width < 40 ? setup->physical_width : 40;
      f.address_mask = 0xFFFFF000;
      f.root = setup->cr3 & f.address_mask;
      f.reserved_directory = 0x003FFFFF & ~((UINT64_C(1) << (width - 19)) - 1);
      break;
    }
  }
  f.plain_top = f.reserved_top | PRESENT;
  f.plain_table = f.reserved_always | LARGE | PRESENT;
  if (setup->mode == CBT_LEGACY32) f.plain_table = f.pse ? LARGE | PRESENT : PRESENT;
  f.plain_leaf = f.reserved_always | PRESENT;
  return f;
}
