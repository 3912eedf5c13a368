import Paging
public import X86

extension MappedRun {
  /// What QEMU's `info mem` prints, line for line: execution is not looked at, and addresses count
  /// on from the lower half to the upper one.
  ///
  /// **Source** QEMU behaviour.
  public static func qemuLines(_ runs: [MappedRun], mode: X86Mode) -> [String] {
    let width: UInt64 =
      switch mode {
      case .long5: 57
      case .long4: 48
      default: 32
      }
    var joined: [MappedRun] = []
    for run in runs {
      // The address without its sign extension, so that the two halves meet.
      let next = MappedRun(
        start: GVA(run.start.rawValue & (1 << width - 1)), size: run.size,
        permissions: run.permissions.subtracting(.execute))
      if !joined.isEmpty, joined[joined.count - 1].absorb(next) { continue }
      joined.append(next)
    }
    return joined.map { run in
      let numbers = [run.start.rawValue, run.end.rawValue, run.size].map { number in
        let isUpper = width > 32 && number >> (width - 1) & 1 != 0
        let text = String(isUpper ? number | ~0 << width : number, radix: 16)
        return String(repeating: "0", count: max((width > 32 ? 16 : 8) - text.count, 0)) + text
      }
      return "\(numbers[0])-\(numbers[1]) \(numbers[2]) "
        + run.permissions.description.prefix(3)
    }
  }
}
