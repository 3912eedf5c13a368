public import MMU
public import Paging
public import X86
public import X86Guest
import X86TDX

extension Machine where Guest == X86Processor, MMU: TrustDomain {
  /// How often the handler helps one access on.
  private static var handlerBudget: Int { 16 }

  /// An access whose #VE the guest's handler answers: what the host has at a shared address it asks for
  /// by TDG.VP.VMCALL<#VE.RequestMMIO>, a private page it accepts and tries again.
  ///
  /// It does what a guest can: a fetch, a size that the call does not have or an access across two pages
  /// of a device remain a #VE, which no guest gets over.
  ///
  /// - Parameters:
  ///   - index: which vCPU.
  ///   - access: what is asked.
  ///   - gva: the guest virtual address.
  ///   - size: **Units** bytes, 1...16; clamped.
  ///   - value: what is written, little-endian; ignored otherwise.
  public func vcpu(
    _ index: Int, handledAccess access: X86Access, at gva: GVA, size: Int, value: UInt128 = 0
  ) -> HandledAccess<X86Fault> {
    var calls: [GuestCall] = []
    while true {
      var report = vcpu(index, access: access, at: gva, size: size, value: value)
      guard case .injected(VirtualizationExceptionArea.vector, _) = report.outcome,
        calls.count < Self.handlerBudget,
        let area = mmu.exceptionInformation(of: vcpus[index].state.context)
      else { return HandledAccess(report: report, calls: calls) }
      let gpa = GPA(area.gpa)
      do throws(FaultError) {
        let isHelped =
          mmu.module.addressing.isShared(gpa)
          ? try ask(index, for: access.kind, gpa, size: size, value, &report, &calls)
          : try accept(index, gpa, &calls)
        // A device's access is done with the call; one to memory is made again.
        guard isHelped, !mmu.module.addressing.isShared(gpa) else {
          return HandledAccess(report: report, calls: calls)
        }
      } catch {
        report.outcome = .failed(error)
        vcpu(index, counts: 1, of: error.cause)
        return HandledAccess(report: report, calls: calls)
      }
    }
  }

  private func ask(
    _ index: Int, for kind: AccessKind, _ gpa: GPA, size: Int, _ value: UInt128,
    _ report: inout AccessReport<X86Fault>, _ calls: inout [GuestCall]
  ) throws(FaultError) -> Bool {
    guard kind != .fetch, size <= 8 else { return false }
    let call = TDVMCall.requestMMIO(
      size: UInt64(size), direction: kind == .write ? 1 : 0, address: gpa,
      value: kind == .write ? UInt64(truncatingIfNeeded: value) : 0)
    let answer = try vcpu(index, calls: call)
    calls.append(.host(call, answer))
    guard answer.status == .success else { return false }
    report.outcome = .done(kind == .write ? value : UInt128(answer.value))
    report.gpa = gpa
    report.mmio = answer.mmio
    return true
  }

  /// Accepts the page; where it is part of a large one, that.
  private func accept(
    _ index: Int, _ gpa: GPA, _ calls: inout [GuestCall]
  ) throws(FaultError) -> Bool {
    for level in [Level.pageTable, .directory] {
      let page = GPA(gpa.rawValue & ~((4096 << UInt64(9 * (level.rawValue - 1))) - 1))
      let status: TDXStatus
      do throws(TDXError) {
        let exits = try mmu.accept(page.frame, level)
        vcpu(index, counts: exits, of: .eptViolation)
        status = .success
      } catch .module(let refusal) {
        status = refusal
      } catch {
        // The large page went meanwhile, and its first frame became shared: the next try tells.
        if level > .pageTable { return true }
        throw error.stop(at: page)
      }
      calls.append(.accept(page, level, status))
      switch status {
      // Another vCPU may have been first.
      case .success, .pageAlreadyAccepted: return true
      case .pageSizeMismatch: continue
      default: return false
      }
    }
    return false
  }
}
