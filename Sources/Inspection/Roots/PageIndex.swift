import GuestImage
import Paging

/// The whole pages of an image that its file backs, numbered from 0 in address order.
struct PageIndex: Sendable {
  private struct Run {
    let firstFrame: UInt64
    let count: UInt64
    let firstIndex: Int
  }

  private let runs: [Run]
  /// **Units** pages.
  let count: Int

  init(_ image: GuestImage) {
    var runs: [Run] = []
    var total = 0
    for segment in image.segments {
      // Frames that the segment's bytes cover whole; what a file does not back is zeros.
      let first = (segment.gpa.rawValue >> 12) + (segment.gpa.rawValue & 0xFFF == 0 ? 0 : 1)
      let end = segment.gpa.wrappingAdd(segment.fileSize).rawValue >> 12
      guard end > first else { continue }
      runs.append(Run(firstFrame: first, count: end - first, firstIndex: total))
      total += Int(end - first)
    }
    self.runs = runs
    count = total
  }

  /// The number of the page at an address, or `nil` where the image holds no whole page of it.
  func number(of address: UInt64) -> Int? {
    let frame = address >> 12
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstFrame <= frame { low = middle + 1 } else { high = middle }
    }
    guard low > 0, frame - runs[low - 1].firstFrame < runs[low - 1].count else { return nil }
    return runs[low - 1].firstIndex + Int(frame - runs[low - 1].firstFrame)
  }

  /// The address of a page. **Requires** a number below `count`.
  func address(of number: Int) -> UInt64 {
    var (low, high) = (0, runs.count)
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstIndex <= number { low = middle + 1 } else { high = middle }
    }
    let run = runs[low - 1]
    return (run.firstFrame + UInt64(number - run.firstIndex)) << 12
  }
}
