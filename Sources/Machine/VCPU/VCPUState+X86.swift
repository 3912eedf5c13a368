public import MMU
public import Paging
public import X86
public import X86Guest

extension VCPUState where Guest == X86Processor {
  /// INVLPG.
  @inlinable
  public mutating func invalidatePage(_ gva: GVA) {
    countExit(.invlpg, "INVLPG \(gva)")
    let scope = guest.invalidatePage(gva)
    let time = ledgerTime
    if case .page(let page, _) = scope { mmu.invalidatePage(page, on: &context, observer) }
    drop(scope, since: time)
  }

  /// MOV CR3.
  @inlinable
  public mutating func moveToCR3(_ value: UInt64) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR3")
    try move { $0.moveToCR3(value, in: $1) }
  }

  /// MOV CR0.
  @inlinable
  public mutating func moveToCR0(_ value: CR0) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR0")
    try move { $0.moveToCR0(value, in: $1) }
  }

  /// MOV CR4.
  @inlinable
  public mutating func moveToCR4(_ value: CR4) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR4")
    try move { $0.moveToCR4(value, in: $1) }
  }

  /// WRMSR to IA32_EFER.
  @inlinable
  public mutating func moveToEFER(_ value: EFER) {
    change { $0.moveToEFER(value) }
    registersChanged(dropping: .nothing)
  }

  /// WRPKRU or WRMSR to IA32_PKRS.
  @inlinable
  public mutating func moveToKeys(pkru: UInt32?, pkrs: UInt32? = nil) {
    change { $0.moveToKeys(pkru: pkru, pkrs: pkrs) }
    registersChanged(dropping: .nothing)
  }

  @inlinable
  mutating func move(
    _ body: (inout X86Processor, MMU.View) -> Result<TLBInvalidation, RegisterFault>
  ) throws(RegisterFault) {
    let time = ledgerTime
    let view = mmu.view(for: context, marking: true, gva: nil)
    let scope: TLBInvalidation
    switch change({ body(&$0, view) }) {
    case .success(let dropped): scope = dropped
    case .failure(.unreadablePDPTEs(let address)):
      if case .failure(let failure) = view.load(GPA(address), as: UInt64.self),
        let exit = failure.reflected
      {
        throw .reflected(exit)
      }
      throw .unreadablePDPTEs(address)
    case .failure(let fault): throw fault
    }
    drop(scope, since: time)
    registersChanged(dropping: scope)
  }

  @inlinable
  mutating func registersChanged(dropping scope: TLBInvalidation) {
    mmu.registersChanged(guest, dropping: scope, on: &context, observer)
  }

  /// Counts an instruction that leaves the guest where the MMU has to see it.
  @inlinable
  mutating func countExit(_ cause: ExitCause, _ words: @autoclosure () -> String) {
    guard MMU.interceptsInvalidation else { return }
    exits[cause] += 1
    if Observer.listens { observer.observe(.exit(cause, words())) }
  }
}
