import Synchronization

/// What the decoder asks of a scenario: its objects, their keys, and what it reads them as.
///
/// The JSON Schema is made of it, so that the decoder alone says what a scenario may hold.
package final class DecodingLog: Sendable {
  /// The log that is kept while a closure runs; usually none.
  @TaskLocal package static var current: DecodingLog?

  /// What a value is read as.
  package enum Form: Hashable, Sendable {
    /// Text.
    case text
    /// A number of 64 bits.
    case number(ClosedRange<UInt64>)
    /// A number of 128 bits.
    case wideNumber
    /// True or false.
    case flag
    /// One of these words.
    case choice([String])
    /// A list; the items have a place of their own.
    case list
    /// An object of a kind.
    case object(String)
  }

  /// What is known of a kind of object.
  package struct Object: Sendable {
    /// How often one was read.
    package var count = 0
    /// How often each key was asked for as one that must be there.
    package var needed: [String: Int] = [:]
    /// The keys that were asked for.
    package var keys: Set<String> = []
    /// Sets of keys of which one is there.
    package var exclusive: Set<[String]> = []
    /// Whether any key is allowed.
    package var isOpen = false
    /// What each key's value is read as; `KEY[]` for the items of a list, `*` for any key.
    package var forms: [String: Set<Form>] = [:]
  }

  /// The value of a key.
  struct Place: Sendable {
    let log: DecodingLog
    let object: String
    let key: String

    func note(_ form: Form) {
      log.objects.withLock { objects in
        let key = objects[object]?.isOpen == true ? "*" : key
        _ = objects[object, default: Object()].forms[key, default: []].insert(form)
      }
    }

    var item: Place { Place(log: log, object: object, key: key + "[]") }
  }

  private let objects = Mutex<[String: Object]>([:])

  /// An empty log.
  package init() {}

  /// The kinds of objects, by name.
  package var contents: [String: Object] { objects.withLock { $0 } }

  static func place(_ object: String, _ key: String) -> Place? {
    current.map { Place(log: $0, object: object, key: key) }
  }

  func began(_ object: String) { change(object) { $0.count += 1 } }
  func asked(_ object: String, _ key: String) { change(object) { $0.keys.insert(key) } }
  func needed(_ object: String, _ key: String) {
    change(object) { $0.needed[key, default: 0] += 1 }
  }
  func excluded(_ object: String, _ keys: [String]) {
    change(object) { $0.exclusive.insert(keys) }
  }
  func opened(_ object: String) { change(object) { $0.isOpen = true } }

  private func change(_ object: String, _ body: (inout Object) -> Void) {
    objects.withLock { body(&$0[object, default: Object()]) }
  }
}
