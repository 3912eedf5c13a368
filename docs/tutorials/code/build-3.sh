cc -std=c11 -O2 -fPIC -shared -Wall -Wextra $(pkg-config --cflags mmu-plugin) -o guard.so guard.c
mmu plugin check guard.so --set start=0x200000 --set size=0x1000
