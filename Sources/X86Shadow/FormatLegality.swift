public import Paging

/// Tries entries on the format that will walk them.
public struct FormatLegality<Format: PagingFormat>: EntryLegality where Format.Entry == UInt64 {
  let format: Format

  /// Present and execute-disable are tried both ways where they are not known.
  public func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool {
    let free = (1 << 63 | 1) & ~(ones | zeros)
    return [0, 1, 1 << 63, 1 << 63 | 1].contains { (choice: UInt64) in
      choice & ~free == 0 && format.kind(of: ones | choice, at: .pageTable) == .leaf
    }
  }
}
