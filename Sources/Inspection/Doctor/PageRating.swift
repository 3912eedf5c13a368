public import GuestImage
public import Paging
import X86

/// How well a page of an image would do as a table.
public struct PageRating: Hashable, Sendable {
  /// The page.
  public let gpa: GPA
  /// The levels as which it passes for a table, highest first, each with what it would map.
  public let levels: [(level: Level, mappings: Int)]

  /// Equal where they say the same.
  public static func == (left: PageRating, right: PageRating) -> Bool {
    left.gpa == right.gpa && left.levels.elementsEqual(right.levels, by: ==)
  }

  /// By page.
  public func hash(into hasher: inout Hasher) { hasher.combine(gpa) }

  /// Rates every page of an image; pages that map nothing as any table are left out.
  ///
  /// - Parameters:
  ///   - hasWideEntries: whether entries have 8 bytes.
  ///   - highest: the mode's root level.
  /// - Complexity: pages × levels × entries, each page judged once a level.
  public static func all(
    in image: GuestImage, wideEntries: Bool, highest: Level
  ) -> [PageRating] {
    let pages = PageIndex(image)
    var judge = TableJudge(image, pages)
    var ratings: [PageRating] = []
    for number in 0..<pages.count {
      let address = pages.address(of: number)
      var levels: [(level: Level, mappings: Int)] = []
      if wideEntries {
        for level in stride(from: highest.rawValue, through: 1, by: -1) {
          if let mapped = judge.mappings(of: address, at: level), mapped > 0 {
            levels.append((Level(level), mapped))
          }
        }
      } else if let mapped = judge.narrowMappings(of: address), mapped > 0 {
        levels.append((.pageTable, mapped))
      }
      if !levels.isEmpty { ratings.append(PageRating(gpa: GPA(address), levels: levels)) }
    }
    return ratings
  }
}
