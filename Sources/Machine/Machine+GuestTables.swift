import MMU
public import Paging
public import X86Guest

extension Machine where Guest == X86Processor {
  /// Maps a range in the tables of vCPU 0's address space, as an operating system would.
  ///
  /// - Parameters:
  ///   - gva: the guest virtual address.
  ///   - gpa: the guest physical address.
  ///   - length: **Units** bytes; a multiple of the page size.
  ///   - pageSize: the size of the pages.
  ///   - permissions: what the mapping grants.
  ///   - tables: where the next table page is; moves on by 4096 a page. The pages must hold zeros.
  /// - Throws: `TableEditError`; pages mapped before it stay mapped.
  public func mapGuest(
    _ gva: GVA, to gpa: GPA, length: UInt64 = 4096, pageSize: PageSize = .size4KiB,
    permissions: Permissions = [.read, .write, .user], tables: inout GPA
  ) throws(TableEditError) {
    var next = tables
    defer { tables = next }
    guard let vcpu = vcpus.first else { return }
    try vcpu.guest.regime.map(
      gva, to: gpa, length: length, pageSize: pageSize, permissions: permissions,
      in: mmu.view(for: vcpu.state.context, marking: false, gva: nil)
    ) {
      guard let after = next.adding(4096) else { return nil }
      defer { next = after }
      return next
    }
  }
}
