import Paging

/// Numbers for the places that a race's threads touch, in the order in which they are first seen.
struct PlaceNumbers {
  private var numbers: [SharedPlace: Int] = [:]
  private(set) var places: [SharedPlace] = []

  subscript(place: SharedPlace) -> Int {
    mutating get {
      if let number = numbers[place] { return number }
      let number = places.count
      numbers[place] = number
      places.append(place)
      return number
    }
  }
}

/// A set of numbered places.
struct PlaceSet {
  private var words: [UInt64] = []

  func contains(_ place: Int) -> Bool {
    place / 64 < words.count && words[place / 64] >> UInt64(place % 64) & 1 != 0
  }

  /// - Returns: whether it was not there before.
  mutating func insert(_ place: Int) -> Bool {
    if contains(place) { return false }
    while words.count <= place / 64 { words.append(0) }
    words[place / 64] |= 1 << UInt64(place % 64)
    return true
  }
}
