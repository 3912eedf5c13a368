mmu run guard.yaml
mmu run guard.yaml --without-plugins
