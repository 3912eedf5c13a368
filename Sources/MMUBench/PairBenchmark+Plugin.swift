internal import CBenchTwin
import Paging
import PluginHost

extension PairBenchmark {
  private static var plugin: String { "build/plugins/idle_policy.so" }

  /// Hooks through the plugin host, answers checked, against bare `ffi_call`s of the same functions.
  static var pluginCall: PairBenchmark {
    let count = 1 << 16
    return PairBenchmark(name: "plugin.call", count: count, baseline: "c", file: plugin) {
      let loaded = try Plugin(path: plugin)
      let policy = PluginPolicy(loaded)
      let twin = try FFITwin(plugin)
      return Sides(
        program: { call(loaded, policy, count: count) }, baseline: { twin.run(count: count) })
    }
  }

  @inline(never)
  static func call(
    _ plugin: Plugin, _ policy: PluginPolicy, count: Int
  ) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    for step in 0..<UInt64(count) {
      guard step & 7 == 0 else {
        let fault = FaultInfo(
          gpa: GPA(step &<< 12), gva: nil, kind: step & 1 == 0 ? .read : .write, isUser: true,
          hasSlot: true, largestLevel: .directory, vcpu: 0)
        if policy.verdict(on: fault) != .proceed { tally.failures += 1 }
        continue
      }
      let standard = MMIOMask(value: step, mask: ~step, accessMask: 0)
      guard let mask = try? plugin.mmioMask(maxphyaddr: 46, encoder: "ept", standard: standard)
      else {
        tally.failures += 1
        continue
      }
      tally.checksum &+= mask.value ^ mask.mask ^ mask.accessMask
    }
    return tally
  }
}

/// The same functions behind plain `ffi_call`s.
@safe
private final class FFITwin {
  private let functions: OpaquePointer

  init(_ path: String) throws(BenchmarkError) {
    guard let functions = unsafe cbt_ffi_open(path, "idle_verdict", "idle_mask") else {
      throw .noData("plugin.call", "\(path) cannot be loaded")
    }
    unsafe self.functions = unsafe functions
  }

  deinit { unsafe cbt_ffi_close(functions) }

  func run(count: Int) -> WalkLoop.Tally {
    let tally = unsafe cbt_run_ffi(functions, UInt64(count))
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
