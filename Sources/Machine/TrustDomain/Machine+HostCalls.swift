public import MMU
public import Paging
public import X86Guest
public import X86TDX

extension Machine where Guest == X86Processor, MMU: TrustDomain {
  /// A call of a vCPU's guest to the host (TDG.VP.VMCALL), which leaves the domain.
  ///
  /// The host takes an MMIO address with or without the shared bit, as long as no memslot holds it and
  /// the bytes are on one page.
  ///
  /// - Throws: `FaultError.cannotRun` where the vCPU may not enter the domain at all; `refused` or
  ///   `tablePagesExhausted` where the module refuses what the host does for the guest.
  /// - Note: **Source** Guest-Host-Communication Interface (GHCI) for Intel TDX, "TDG.VP.VMCALL
  ///   Interface"; of the shared bit: KVM behaviour.
  public func vcpu(_ index: Int, calls call: TDVMCall) throws(FaultError) -> TDVMCallAnswer {
    if let stop = mmu.pendingStop(vcpus[index].state.context) {
      vcpu(index, counts: 1, of: stop.cause)
      throw stop.error
    }
    vcpu(index, counts: 1, of: .tdxExit)
    switch call {
    case .requestMMIO(let size, let direction, let address, let value):
      return requestMMIO(size: size, direction: direction, address, value, index)
    case .mapGPA(let start, let byteCount): return try mapGPA(start, byteCount)
    case .other: return TDVMCallAnswer(.subfunctionUnsupported)
    }
  }

  private func requestMMIO(
    size: UInt64, direction: UInt64, _ address: GPA, _ value: UInt64, _ index: Int
  ) -> TDVMCallAnswer {
    let addressing = mmu.module.addressing
    let gpa = addressing.stripped(address)
    var hint = 0
    let space = mmu.addressSpace(of: vcpus[index].state.context)
    guard [1, 2, 4, 8].contains(size), direction <= 1, !addressing.isTooWide(address),
      gpa.offset(in: .size4KiB) + size <= 4096,
      memory.slots(of: space).slot(for: gpa.frame, hint: &hint) == nil
    else { return TDVMCallAnswer(.invalidOperand) }
    guard direction == 0 else {
      return TDVMCallAnswer(.success, mmio: bus.write(UInt128(value), to: gpa, size: Int(size)))
    }
    let answer = bus.read(gpa, size: Int(size))
    return TDVMCallAnswer(
      .success, value: UInt64(truncatingIfNeeded: answer.value), mmio: answer)
  }

  private func mapGPA(_ start: GPA, _ byteCount: UInt64) throws(FaultError) -> TDVMCallAnswer {
    let addressing = mmu.module.addressing
    func refused(_ status: TDVMCallStatus) -> TDVMCallAnswer {
      TDVMCallAnswer(status, value: start.rawValue)
    }
    guard byteCount > 0, let last = start.adding(byteCount - 1), !addressing.isTooWide(last),
      addressing.isShared(start) == addressing.isShared(last)
    else { return refused(.invalidOperand) }
    guard (start.rawValue | byteCount) & 0xFFF == 0 else { return refused(.alignError) }
    let first = addressing.stripped(start).frame
    do {
      try mmu.convert(
        first..<first.wrappingAdd(byteCount >> 12), toPrivate: !addressing.isShared(start))
      return TDVMCallAnswer(.success)
    } catch .module(.operandBusy) {
      return refused(.retry)
    } catch {
      throw error.stop(at: addressing.stripped(start))
    }
  }
}
