/// A small race: a few threads on a machine of their own, and what must hold at the end.
public struct Race: Sendable {
  /// What it is called on the command line.
  public let name: String
  /// What meets what, in one line.
  public let summary: String
  /// How many threads it has.
  public let threads: Int
  let prepare: @Sendable (Turns) throws -> Run

  /// One run, set up anew.
  package struct Run {
    var bodies: [@Sendable () -> Void]
    /// What is wrong at the end, one line each.
    var check: () -> [String]

    /// Threads, and what to look at when they have ended.
    package init(_ bodies: [@Sendable () -> Void], check: @escaping () -> [String]) {
      self.bodies = bodies
      self.check = check
    }
  }

  /// A race.
  ///
  /// - Parameter prepare: sets one run up; the same each time, but for the order of steps.
  package init(
    _ name: String, _ summary: String, threads: Int,
    _ prepare: @escaping @Sendable (Turns) throws -> Run
  ) {
    self.name = name
    self.summary = summary
    self.threads = threads
    self.prepare = prepare
  }
}
