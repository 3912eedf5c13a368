import MMU
import Paging
import PluginHost
import Synchronization
import X86

/// What a scenario's machine does for plugins: their lines are kept for the step under way, memory is
/// the guest's through its memslots.
final class MachineServices: PluginServices {
  private struct State {
    weak var machine: (any ScenarioMachine)?
    var lines: [String] = []
    var counters: [String: UInt64] = [:]
  }

  private let state = Mutex(State())
  /// The most lines kept for one step, and counters for one run.
  private static var most: Int { 256 }

  /// Serves a machine from now on.
  func serve(_ machine: any ScenarioMachine) { state.withLock { $0.machine = machine } }

  /// The lines since the last call.
  func takeLines() -> [String] {
    state.withLock { state in
      defer { state.lines = [] }
      return state.lines
    }
  }

  /// The counters, by plugin and name.
  var counters: [(name: String, count: UInt64)] {
    state.withLock { $0.counters.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
  }

  func log(_ message: String, severity: PluginSeverity, from plugin: String) {
    guard severity != .debug else { return }
    let line = "\(plugin): " + String(message.prefix(400).map { $0.isNewline ? " " : $0 })
    state.withLock { if $0.lines.count < Self.most { $0.lines.append(line) } }
  }

  func count(_ counter: String, by amount: UInt64, from plugin: String) {
    let name = "\(plugin).\(counter.prefix(80))"
    state.withLock { state in
      guard state.counters.count < Self.most || state.counters[name] != nil else { return }
      state.counters[name] = (state.counters[name] ?? 0) &+ amount
    }
  }

  func read(_ gpa: GPA, into bytes: inout MutableRawSpan) -> Bool {
    let count = bytes.byteCount
    guard let machine = state.withLock({ $0.machine }) else { return false }
    let read = machine.memory.view.read(gpa, count: count)
    guard read.count == count else { return false }
    for (index, byte) in read.enumerated() {
      bytes.storeBytes(of: byte, toByteOffset: index, as: UInt8.self)
    }
    return true
  }

  func write(_ bytes: borrowing RawSpan, to gpa: GPA) -> Bool {
    guard let machine = state.withLock({ $0.machine }) else { return false }
    let view = machine.memory.view
    guard view.isWritable(gpa, count: bytes.byteCount) else { return false }
    return view.write(bytes.extracting(0..<bytes.byteCount), at: gpa) == bytes.byteCount
  }

  func translate(_ gva: GVA, vcpu: Int, for access: AccessKind, isUser: Bool) -> GPA? {
    guard let machine = state.withLock({ $0.machine }), vcpu >= 0, vcpu < machine.vcpuCount else {
      return nil
    }
    return machine.locate(gva, for: X86Access(access, user: isUser), vcpu: vcpu)
  }
}
