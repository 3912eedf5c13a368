package import Paging

/// A small race: a few threads on a machine of their own, and what must hold at the end.
public struct Race: Sendable {
  /// What it is called on the command line.
  public let name: String
  /// What meets what, in one line.
  public let summary: String
  /// How many threads it has.
  public let threads: Int
  /// The second levels that it can be run over.
  let formats: [RaceFormat]
  let prepare: @Sendable (Turns) throws -> Run
  private let story: @Sendable (Turns, RaceFormat) throws -> Run

  /// One run, set up anew.
  package struct Run {
    var bodies: [@Sendable () -> Void]
    /// What is wrong at the end, one line each.
    var check: () -> [String]
    /// What a place holds now; `nil` where no word says it all, so that states are told apart by who
    /// changed it in what order.
    var content: (SharedPlace) -> UInt64?

    /// Threads, and what to look at when they have ended.
    package init(
      _ bodies: [@Sendable () -> Void], content: @escaping (SharedPlace) -> UInt64? = { _ in nil },
      check: @escaping () -> [String]
    ) {
      self.bodies = bodies
      self.content = content
      self.check = check
    }
  }

  /// A race over any of some formats; over the first unless `behind(_:)` says otherwise.
  ///
  /// - Parameter story: sets one run up; the same each time, but for the order of steps.
  init(
    _ name: String, _ summary: String, threads: Int, formats: [RaceFormat] = RaceFormat.allCases,
    _ story: @escaping @Sendable (Turns, RaceFormat) throws -> Run
  ) {
    self.name = name
    self.summary = summary
    self.threads = threads
    self.formats = formats
    self.story = story
    prepare = { try story($0, formats[0]) }
  }

  /// A race with machines of its own.
  ///
  /// - Parameter prepare: sets one run up; the same each time, but for the order of steps.
  package init(
    _ name: String, _ summary: String, threads: Int,
    _ prepare: @escaping @Sendable (Turns) throws -> Run
  ) {
    self.init(name, summary, threads: threads, formats: [.ept]) { turns, _ in try prepare(turns) }
  }

  /// The race over another format, under a name of its own.
  func behind(_ format: RaceFormat) -> Race { Race(self, format) }

  private init(_ race: Race, _ format: RaceFormat) {
    name = race.name + (format == .ept ? "" : "-" + format.rawValue)
    summary = race.summary + (format == .ept ? "" : ", behind " + format.rawValue.uppercased())
    threads = race.threads
    formats = [format]
    let story = race.story
    self.story = story
    prepare = { try story($0, format) }
  }
}
