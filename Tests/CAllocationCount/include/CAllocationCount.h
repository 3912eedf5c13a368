#ifndef C_ALLOCATION_COUNT_H
#define C_ALLOCATION_COUNT_H

/* How often this thread has asked for heap memory: the program's malloc and its kin, replaced. */
unsigned long cac_count(void);

#endif
