import Paging
import X86
import X86Guest
import X86PAE

extension AccessCase {
  /// Makes the access as the processor does, on the case's own memory, A and D bits included.
  ///
  /// PDPTE registers are loaded first, strictly; where that fails the outcome is #GP(0).
  public func run() -> AccessOutcome {
    let memory = CaseMemory(memory)
    let result: AccessOutcome.Result
    switch X86Regime.load(registers, features, in: memory, .strict) {
    case .failure: result = .refused(vector: X86Fault.generalProtectionVector, errorCode: 0)
    case .success(let (regime, _)):
      switch regime.translate(address, for: access, in: memory, Commit()) {
      case .success(let translation):
        result = .granted(translation.address, pageSize: translation.pageSize.bytes)
      case .failure(.fault(let fault)):
        result = .refused(vector: fault.vector, errorCode: fault.errorCode.rawValue)
      case .failure(.contended): result = .contended
      }
    }
    let changed = memory.contents.filter { $0.value != self.memory[$0.key] ?? 0 }
    return AccessOutcome(result, changed: changed)
  }
}
