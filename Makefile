.PHONY: bench

# Program and C twin take turns; see `mmu bench`.
bench:
	swift run -c release mmu bench $(BENCH)
