/// Who takes each step of a run: a line that can be run again.
///
/// `0x14,1x3,2` is fourteen steps of thread 0, three of thread 1, one of thread 2; from then on the
/// thread that ran last goes on while it can, and after it the first that can.
public struct Schedule: Sendable, Hashable {
  /// The thread of each step.
  public internal(set) var threads: [Int]

  init(_ threads: [Int]) { self.threads = threads }

  /// The most steps that a line may spell.
  public static var stepLimit: Int { Turns.stepLimit }

  /// Reads a line.
  ///
  /// - Returns: `nil` unless it is runs of `thread` or `threadxcount`, separated by commas, with at most
  ///   `stepLimit` steps.
  public init?(_ line: String) {
    threads = []
    if line.isEmpty { return }
    for run in line.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = run.split(separator: "x", omittingEmptySubsequences: false)
      guard (1...2).contains(parts.count), let thread = Self.number(parts[0]), thread < 10,
        let count = parts.count == 2 ? Self.number(parts[1]) : 1, count > 0,
        count <= Self.stepLimit - threads.count
      else { return nil }
      threads += Array(repeating: thread, count: count)
    }
  }

  private static func number(_ text: Substring) -> Int? {
    text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
  }

  /// Who goes where the line says nothing.
  static func usual(_ choice: Turns.Choice) -> Int {
    choice.ready.contains(choice.last) ? choice.last : choice.ready.first ?? choice.last
  }
}

extension Schedule: CustomStringConvertible {
  /// The line.
  public var description: String {
    var runs: [(thread: Int, count: Int)] = []
    for thread in threads {
      if runs.last?.thread == thread {
        runs[runs.count - 1].count += 1
      } else {
        runs.append((thread, 1))
      }
    }
    return runs.map { $0.count == 1 ? "\($0.thread)" : "\($0.thread)x\($0.count)" }
      .joined(separator: ",")
  }
}
