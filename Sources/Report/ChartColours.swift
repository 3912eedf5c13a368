/// The colours of series in charts, told apart by people who see few colours too.
enum ChartColours {
  private static let all = [
    "#4a6a8a", "#c2571a", "#8cc08c", "#b08cc0", "#d9b44a", "#5ba8a0", "#a33b3b", "#777777",
    "#335c1f", "#e08fb0",
  ]

  /// The colour of a series by its number; they repeat.
  static func colour(_ number: Int) -> String { all[number % all.count] }
}
