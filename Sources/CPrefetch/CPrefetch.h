/// The one thing about memory that Swift has no word for.
#ifndef CPREFETCH_H
#define CPREFETCH_H

/// Brings the cache line of an address nearer; any address is allowed, none faults.
static inline void cprefetch_read(const void *address) { __builtin_prefetch(address, 0, 3); }

#endif
