import MMU
import Machine
import Paging
import X86TDX

extension AccessPlayer {
  /// What guest and host do to private memory; the result's count is of pages.
  func perform(_ action: PrivateMemoryAction, _ result: inout StepResult) {
    do throws(TDXError) {
      switch action {
      case .convert(let gpa, let count, let toPrivate, let vcpu):
        guard let mmu = machine.privateMemory else {
          result.problem = "this MMU has no private memory"
          return
        }
        if machine.domain?.module.addressing.isShared(gpa) == true {
          result.problem = "convert takes the address without the shared bit"
          return
        }
        // The guest asks by a call (MapGPA); of software's private memory the host knows by itself.
        if machine.domain?.module.isFinalized == true {
          machine.count(1, of: .tdxExit, on: vcpu)
        }
        try mmu.convert(Self.frames(gpa, count), toPrivate: toPrivate)
      case .accept(let gpa, let count, let size, let vcpu):
        guard let domain = machine.domain else {
          result.problem = "only a trust domain accepts pages"
          return
        }
        result.count = 0
        try Self.forEachPage(gpa, count, size) { gfn, level throws(TDXError) in
          let exits = try domain.accept(gfn, level)
          machine.count(exits, of: .eptViolation, on: vcpu)
          result.count = (result.count ?? 0) + 1
        }
      case .call(let call, let vcpu): return perform(call, vcpu, &result)
      case .module(let call):
        guard let domain = machine.domain else {
          result.problem = "this MMU has no TDX module"
          return
        }
        try perform(call, on: domain)
      }
      result.isDone = true
      if machine.domain != nil { result.status = .success }
    } catch {
      switch error {
      case .module(let status): result.status = status
      case .shared(let gfn), .unbacked(let gfn):
        if case .accept(_, _, _, let vcpu) = action {
          machine.count(1, of: .eptViolation, on: vcpu)
          machine.count(1, of: .memoryFault, on: vcpu)
          result.problem = "\(FaultError.memoryFault(gfn.baseAddress, isPrivate: true))"
          return
        }
      case .tablePagesExhausted: break
      }
      result.problem = "\(error)"
    }
  }

  private func perform(_ call: TDVMCall, _ vcpu: Int, _ result: inout StepResult) {
    guard let domain = machine as? any DomainMachine else {
      result.problem = "only a trust domain makes such calls"
      return
    }
    do {
      let answer = try domain.call(vcpu, call)
      result.answer = answer
      result.mmio = answer.mmio
      result.isDone = answer.status == .success
      if result.isDone {
        if answer.mmio != nil {
          result.bytes = (0..<8).map { UInt8(truncatingIfNeeded: answer.value >> UInt64($0 * 8)) }
        }
      } else {
        result.problem = "the host answers \(answer.status)"
      }
    } catch { result.problem = "\(error)" }
  }

  private func perform(
    _ call: PrivateMemoryAction.ModuleCall, on domain: any TrustDomain
  ) throws(TDXError) {
    switch call {
    case .add(let gpa, let count): try domain.add(Self.frames(gpa, count))
    case .reclaim(let gpa, let count): try domain.reclaim(Self.frames(gpa, count))
    case .augment(let gpa, let count, let size):
      try Self.forEachPage(gpa, count, size) { gfn, level throws(TDXError) in
        try domain.augment(gfn, level)
      }
    case .entry(let function, let gpa, let size):
      let level = Level(covering: size)
      switch function {
      case .block: try domain.block(gpa.frame, level)
      case .unblock: try domain.unblock(gpa.frame, level)
      case .remove: try domain.remove(gpa.frame, level)
      case .promote: try domain.promote(gpa.frame, level)
      case .demote: try domain.demote(gpa.frame, level)
      }
    case .finalize: try domain.finalize()
    case .track: try domain.track()
    case .enter(let vcpu): domain.module.enter(vcpu: vcpu)
    case .leave(let vcpu): domain.module.exit(vcpu: vcpu)
    case .busy(let calls): domain.module.makeBusy(calls: calls)
    }
  }

  private static func frames(_ gpa: GPA, _ byteCount: UInt64) -> Range<GFN> {
    gpa.frame..<gpa.frame.wrappingAdd(byteCount >> 12)
  }

  private static func forEachPage(
    _ gpa: GPA, _ byteCount: UInt64, _ size: PageSize,
    _ body: (GFN, Level) throws(TDXError) -> Void
  ) throws(TDXError) {
    for index in 0..<(byteCount >> UInt64(size.shift)) {
      try body(gpa.frame.wrappingAdd(index * size.frames), Level(covering: size))
    }
  }
}

extension Level {
  /// The level of a page of 4 KiB, 2 MiB or 1 GiB.
  fileprivate init(covering size: PageSize) { self.init((size.shift - 3) / 9) }
}
