extension Race {
  /// The races that `mmu races` knows: each over every format that it can be run over.
  public static let all: [Race] = RaceFormat.allCases.flatMap { format in
    stories.filter { $0.formats.contains(format) }.map { $0.behind(format) }
  }

  private static let stories: [Race] = [
    .faultsAndLink, .faultsAndZap, .faultAndSplit, .faultAndCollapse, .faultAndNewRoot,
    .zapAndRepair, .zapAndTrackedRead, .markAndZap, .walkAndRemoval, .writeAndHostUnmap,
    .writeAndMove, .writeAndClear, .writeAndCleanBit, .writeAndModificationLog, .writeAndRing,
    .writeAndLogStart, .writeAndTracking, .writeAndTrackingEnd, .faultAndRemoval, .twoUpdates,
  ]

  /// The race of a name.
  public static func named(_ name: String) -> Race? { all.first { $0.name == name } }
}
