cc -std=c11 -O2 -fPIC -shared -Wall -Wextra $(pkg-config --cflags mmu-plugin) -o guard.so guard.c
mmu plugin check guard.so
