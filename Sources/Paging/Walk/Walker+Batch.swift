extension Walker {
  /// Translates many addresses, so that the loads of different walks overlap (SPEC W18).
  ///
  /// Each address comes out as `walk` alone would translate it, in order. While one group of
  /// addresses is walked, the last table entries of the group after it and the last but one of the
  /// group after that are on their way from memory; worth it where the tables are larger than the
  /// caches and the memory can prefetch.
  ///
  /// - Parameters:
  ///   - addresses: what to translate.
  ///   - access: what is asked.
  ///   - root: where the highest table is.
  ///   - memory: where the tables are.
  ///   - strategy: what the walk does besides finding the page.
  ///   - body: called with each index and what came of it, in order.
  /// - Complexity: besides the walk about one load a level, from lines that are near.
  @inlinable
  @inline(__always)  // PERF: walk.batch16.random
  public func walk<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    batch addresses: Span<Address<Format.Input>>, for access: Format.Access,
    at root: Format.Root, in memory: borrowing Memory, _ strategy: Strategy,
    _ body: (
      Int,
      Result<Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>>
    ) -> Void
  ) {
    var ahead = BatchWindow(self, access, root)
    ahead.prepareDirectories(addresses, 0, in: memory)
    ahead.prepareDirectories(addresses, BatchWindow<Format>.group, in: memory)
    ahead.prepareTables(addresses, 0, in: memory)
    var first = 0
    while first < addresses.count {
      ahead.prepareDirectories(addresses, first &+ 2 &* BatchWindow<Format>.group, in: memory)
      ahead.prepareTables(addresses, first &+ BatchWindow<Format>.group, in: memory)
      let end = min(first &+ BatchWindow<Format>.group, addresses.count)
      for index in first..<end {
        body(index, walk(addresses[index], for: access, at: root, in: memory, strategy))
      }
      first = end
    }
  }
}

/// What a batch has asked memory for and not walked yet: three groups of walks in different states.
@frozen
@usableFromInline
struct BatchWindow<Format: PagingFormat> {
  @usableFromInline let walker: Walker<Format>
  @usableFromInline let access: Format.Access
  @usableFromInline let root: Format.Root
  /// By the index of the walk modulo the window: the address of its last but one entry, or `none`.
  @usableFromInline var directories = InlineArray<64, UInt64>(repeating: Self.none)

  /// Walks a group.
  @inlinable
  static var group: Int { 16 }
  /// No entry: the walk ends above. No entry has this address, which is not aligned.
  @inlinable
  static var none: UInt64 { .max }

  @inlinable
  init(_ walker: Walker<Format>, _ access: Format.Access, _ root: Format.Root) {
    self.walker = walker
    self.access = access
    self.root = root
  }

  /// Goes down to the last but one entries of a group, unjudged, and asks for them.
  @inlinable
  @inline(__always)  // PERF: walk.batch16.random
  mutating func prepareDirectories<Memory: EntryMemory & ~Copyable>(
    _ addresses: Span<Address<Format.Input>>, _ first: Int, in memory: borrowing Memory
  ) {
    let format = walker.format
    var index = first
    let end = min(first &+ Self.group, addresses.count)
    next: while index < end {
      let slot = index & 63
      let address = format.untagged(addresses[index], for: access)
      index &+= 1
      directories[slot] = Self.none
      guard case .table(var table, var level) = format.start(address, for: access, at: root) else {
        continue
      }
      while true {
        let entry = Self.entry(format, table, address.rawValue, level)
        if level <= .directory {
          directories[slot] = entry
          memory.prefetch(Address(entry))
          continue next
        }
        guard case .success(let value) = memory.load(Address(entry), as: Format.Entry.self),
          format.kind(of: value, at: level) == .table
        else { continue next }
        table = format.table(in: value, at: level)
        level = level.below
      }
    }
  }

  /// Reads the last but one entries of a group, which have arrived, and asks for the last ones.
  @inlinable
  @inline(__always)  // PERF: walk.batch16.random
  func prepareTables<Memory: EntryMemory & ~Copyable>(
    _ addresses: Span<Address<Format.Input>>, _ first: Int, in memory: borrowing Memory
  ) {
    let format = walker.format
    var index = first
    let end = min(first &+ Self.group, addresses.count)
    while index < end {
      let entry = directories[index & 63]
      let address = addresses[index].rawValue
      index &+= 1
      guard entry != Self.none,
        case .success(let value) = memory.load(Address(entry), as: Format.Entry.self),
        format.kind(of: value, at: .directory) == .table
      else { continue }
      let table = format.table(in: value, at: .directory)
      memory.prefetch(Address(Self.entry(format, table, address, .pageTable)))
    }
  }

  @inlinable
  @inline(__always)
  static func entry(
    _ format: Format, _ table: UInt64, _ address: UInt64, _ level: Level
  ) -> UInt64 {
    table &+ format.index(of: address, at: level) &* UInt64(MemoryLayout<Format.Entry>.size)
  }
}
