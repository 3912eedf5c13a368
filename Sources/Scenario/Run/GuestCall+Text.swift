import Machine
import Paging
import Report
import X86TDX

extension TDVMCall {
  /// The call, in words.
  var inWords: String {
    switch self {
    case .requestMMIO(let size, 1, let address, let value):
      "#VE.RequestMMIO: write 0x\(String(value, radix: 16)), \(size) bytes at GPA \(address)"
    case .requestMMIO(let size, 0, let address, _):
      "#VE.RequestMMIO: read \(size) bytes at GPA \(address)"
    case .requestMMIO(let size, let direction, let address, _):
      "#VE.RequestMMIO: direction \(direction), \(size) bytes at GPA \(address)"
    case .mapGPA(let start, let count): "MapGPA: \(count.hex) bytes at GPA \(start)"
    case .other(let number): "sub-function 0x\(String(number, radix: 16))"
    }
  }
}

extension GuestCall {
  /// What the guest did and what came of it, in words.
  var inWords: String {
    switch self {
    case .host(let call, let answer): "TDG.VP.VMCALL<\(call.inWords)>: \(answer.status)"
    case .accept(let gpa, let level, let status):
      "TDG.MEM.PAGE.ACCEPT of GPA \(gpa), level \(level): \(status)"
    }
  }
}
