import Paging

/// Where one run of a race stands: what each thread has done and seen, and what the places hold.
///
/// Two runs that stand at the same go on alike: what a thread does next depends on what it has seen,
/// and what it sees on the places.
struct RaceState {
  /// Each thread's moment in its history.
  private(set) var moments: [Int]
  /// Tells this state from others.
  private(set) var fingerprint = Fingerprint()
  private let content: (SharedPlace) -> UInt64?
  private var contents: [Int: UInt64] = [:]
  /// The last change of each place that no word tells of, as the moment of a thread.
  private var lastChanges: [Int: UInt64] = [:]
  private var lastPlace: Int?

  /// The beginning.
  ///
  /// - Parameter content: what a place holds now; `nil` where no word says it all.
  init(threads: Int, content: @escaping (SharedPlace) -> UInt64?) {
    self.content = content
    moments = Array(repeating: ThreadHistories.start, count: threads)
    for thread in 0..<threads { fingerprint += position(of: thread) }
  }

  /// Looks at what the last step has made of its place.
  mutating func settle(_ places: PlaceNumbers) {
    guard let place = lastPlace else { return }
    lastPlace = nil
    note(place, places)
    // Whose pages change hands fills them.
    guard places.places[place] == .tablePool else { return }
    for place in contents.keys { note(place, places) }
  }

  private mutating func note(_ place: Int, _ places: PlaceNumbers) {
    let word = content(places.places[place]) ?? lastChanges[place] ?? 0
    if let old = contents[place] {
      if old == word { return }
      fingerprint -= Fingerprint(part: UInt64(place), holding: old)
    }
    contents[place] = word
    fingerprint += Fingerprint(part: UInt64(place), holding: word)
  }

  /// Lets a thread take its next step.
  mutating func take(
    _ access: ThreadHistories.Access, by thread: Int, _ history: inout ThreadHistories,
    _ places: PlaceNumbers
  ) {
    let word = access.place.flatMap { content(places.places[$0]) }
    // What is told by the order of its changes is the whole order, a blind one's before it too.
    let isBlind = access.isBlind && (word != nil || !access.isChange)
    let seen = isBlind ? 0 : word ?? access.place.flatMap { lastChanges[$0] } ?? 0
    fingerprint -= position(of: thread)
    moments[thread] = history.moment(after: moments[thread], seeing: seen)
    fingerprint += position(of: thread)
    lastPlace = access.place
    if let place = access.place, access.isChange, word == nil {
      lastChanges[place] = UInt64(thread + 1) << 48 | UInt64(moments[thread])
    }
  }

  private func position(of thread: Int) -> Fingerprint {
    Fingerprint(part: ~UInt64(thread), holding: UInt64(moments[thread]))
  }
}
