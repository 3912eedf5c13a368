/// What one thread did and saw, in all runs so far: a tree, because what a thread does next depends on
/// nothing else.
///
/// Each moment knows which places the thread was ever seen to touch from there on.
struct ThreadHistories {
  /// A thread's next step.
  struct Access: Hashable {
    /// Its number; `nil` for the first of a thread, which touches nothing.
    var place: Int?
    var isChange: Bool
    /// Whether the thread learns nothing from it.
    var isBlind: Bool

    /// Whether the order of two steps makes a difference.
    func conflicts(with other: Access) -> Bool {
      guard let place, place == other.place else { return false }
      return isChange || other.isChange
    }
  }

  private struct Moment {
    let parent: Int
    /// `nil` where the thread has ended, once it is known.
    var next: Access?
    var isKnown = false
    /// Places that are read, or changed, in this moment's next step or later.
    var reads = PlaceSet()
    var changes = PlaceSet()
  }

  private struct Edge: Hashable {
    var moment: Int
    var seen: UInt64
  }

  private var moments = [Moment(parent: -1)]
  private var children: [Edge: Int] = [:]
  /// Counts the additions to what moments know of those after them.
  private(set) var version = 0

  /// The beginning.
  static var start: Int { 0 }

  /// The moment after a step.
  ///
  /// - Parameter seen: what the thread may have learnt from the step.
  mutating func moment(after moment: Int, seeing seen: UInt64) -> Int {
    let edge = Edge(moment: moment, seen: seen)
    if let child = children[edge] { return child }
    children[edge] = moments.count
    moments.append(Moment(parent: moment))
    return moments.count - 1
  }

  /// Learns what comes next in a moment.
  ///
  /// - Returns: false where it was something else in an earlier run.
  mutating func announce(_ next: Access?, in moment: Int) -> Bool {
    if moments[moment].isKnown { return moments[moment].next == next }
    moments[moment].isKnown = true
    moments[moment].next = next
    guard let next, let place = next.place else { return true }
    var earlier = moment
    while earlier >= 0 {
      let isNew =
        next.isChange
        ? moments[earlier].changes.insert(place) : moments[earlier].reads.insert(place)
      guard isNew else { break }
      version += 1
      earlier = moments[earlier].parent
    }
    return true
  }

  /// The next step in a moment; `nil` at the end.
  func next(in moment: Int) -> Access? { moments[moment].next }

  /// Whether a step of somebody else conflicts with one that the thread may take from a moment on.
  func mayConflict(with access: Access, from moment: Int) -> Bool {
    guard let place = access.place else { return false }
    return moments[moment].changes.contains(place)
      || access.isChange && moments[moment].reads.contains(place)
  }
}
