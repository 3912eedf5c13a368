package import MMU
package import Paging

/// An MMU with a bug: no vCPU is told to empty its TLB.
package struct NeverFlushingMMU<Base: VirtualMMU>: MMUWrapper {
  package let base: Base

  package init(_ base: Base) { self.base = base }

  package func enter(_ cpu: inout Base.CPU) -> Bool {
    _ = base.enter(&cpu)
    return false
  }
}
