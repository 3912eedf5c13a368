/// How far something is, on standard error where that is a terminal and once it takes long; nothing
/// elsewhere.
struct ProgressBar {
  private let what: String
  private let isShown = Terminal.isStandardError
  private let start = ContinuousClock.now
  /// What ends sooner needs no bar.
  private static var patience: Duration { .milliseconds(400) }

  init(_ what: String) { self.what = what }

  /// Shows the share that is done, 0...1.
  func show(_ share: Double) {
    guard isShown, ContinuousClock.now - start > Self.patience else { return }
    let percent = Int(min(max(share, 0), 1) * 100)
    StandardError.write(unfinished: "\r\(what): \(percent) %")
  }

  /// Takes the line away.
  func clear() {
    guard isShown else { return }
    StandardError.write(unfinished: "\r\u{1B}[K")
  }
}
