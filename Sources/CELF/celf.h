/* The system's ELF structures, so that no layout is typed twice. */
#ifndef CELF_H
#define CELF_H
#include <elf.h>
#endif
