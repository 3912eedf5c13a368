import Paging

/// What a second level maps, as segments of the image's own bytes.
struct InnerSegments {
  /// How many runs are followed at most: past that a hostile table would fill the memory.
  private static var mostRuns: Int { 1 << 22 }

  /// A run of the inner guest's memory that is one of the imaged guest's too.
  private struct Run {
    var start: UInt64
    var size: UInt64
    var place: UInt64
  }

  private struct Collector<Format: SecondLevelFormat>: TableVisitor {
    typealias Answer = Void
    var runs: [Run] = []

    mutating func page(_ page: PageVisit<Format>) -> VisitStep<Void> {
      let start = page.input.rawValue
      if let last = runs.last, last.start &+ last.size == start,
        last.place &+ last.size == page.page.base
      {
        runs[runs.count - 1].size += page.page.size.bytes
        return .next
      }
      guard runs.count < InnerSegments.mostRuns else { return .stop(()) }
      runs.append(Run(start: start, size: page.page.size.bytes, place: page.page.base))
      return .next
    }
  }

  /// The segments, by ascending address; none where nothing is mapped that the image holds.
  ///
  /// - Throws: `ImageError.secondLevelTooLarge`.
  static func of(
    _ second: SecondLevel, in image: GuestImage
  ) throws(ImageError) -> [ImageSegment] {
    let runs =
      switch second {
      case .ept(let regime): try Self.runs(of: regime, in: image)
      case .npt(let regime): try Self.runs(of: regime, in: image)
      }
    var segments: [ImageSegment] = []
    for run in runs { add(run, of: image, to: &segments) }
    return segments
  }

  private static func runs<Format: SecondLevelFormat & EnumerablePagingFormat>(
    of regime: FormatRegime<Format>, in image: GuestImage
  ) throws(ImageError) -> [Run] {
    var collector = Collector<Format>()
    var budget = VisitBudget()
    let outcome = PageTables(regime.format, root: regime.root).walk(
      in: HostImage(image), &collector, &budget)
    guard case .finished = outcome else { throw .secondLevelTooLarge }
    return collector.runs
  }

  /// The parts of a run that the image holds; what a segment leaves out of the file reads as zeros.
  private static func add(_ run: Run, of image: GuestImage, to segments: inout [ImageSegment]) {
    var done: UInt64 = 0
    while done < run.size {
      let place = run.place &+ done
      guard let segment = image.table.find(place) else {
        guard let next = image.firstHeld(from: GPA(place)), next.rawValue > place else { return }
        done += next.rawValue - place
        continue
      }
      let offset = place - segment.start
      let size = min(segment.size - offset, run.size - done)
      segments.append(
        ImageSegment(
          number: segments.count, gpa: GPA(run.start &+ done), size: size,
          fileOffset: segment.offset + min(offset, segment.backed),
          fileSize: min(segment.backed - min(offset, segment.backed), size)))
      done += size
    }
  }
}
