/// What is wrong with compressed bytes, in a few words.
struct CompressionDamage: Error {
  let words: String

  init(_ words: String) { self.words = words }
}
