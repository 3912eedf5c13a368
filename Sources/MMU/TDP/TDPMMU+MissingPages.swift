public import Paging

extension TDPMMU {
  /// Brings the page that an exit is about, if it is not there yet; outside, so that whoever waits for
  /// the vCPUs need not wait for a page.
  ///
  /// - Returns: why the page is not there now.
  @usableFromInline
  func fetchMissing(_ gfn: GFN, on cpu: inout TDPContext) -> FaultError? {
    guard let slot = cpu.slots.slot(for: gfn, hint: &cpu.slotHint), let missing = slot.missing,
      missing.lacks(slot.offset(of: gfn))
    else { return nil }
    exit(&cpu)
    let error = missing.fetch(gfn, of: slot, to: memory.host.view)
    announce(&cpu)
    // The slots may have changed meanwhile.
    refresh(&cpu)
    return error
  }
}
