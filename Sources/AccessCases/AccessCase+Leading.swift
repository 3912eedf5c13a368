public import Paging
import X86Guest
import X86PAE

extension AccessCase {
  /// Where the tables lead the address, whether or not they grant the access; `nil` where to nothing.
  public var destination: GPA? {
    let memory = CaseMemory(memory)
    guard case .success(let (regime, _)) = X86Regime.load(registers, features, in: memory, .strict),
      case .success(let translation) = regime.translate(
        address, for: access, in: memory, Probe())
    else { return nil }
    return translation.address
  }
}
