import Paging
import PluginHost

extension Plugin {
  /// Tells the plugin of an event, in the words of the hook `on_event`.
  func tell(_ event: MMUEvent) {
    let (address, value) = event.numbers
    tell(event: event.name, vcpu: 0, address: address, value: value)
  }
}

extension MMUEvent {
  /// The event's name as plugins get it: the case's, in lower case with hyphens.
  var name: String {
    var name = ""
    for character in String(describing: self).prefix(while: { $0.isLetter }) {
      if character.isUppercase { name += "-" }
      name += character.lowercased()
    }
    return name
  }

  /// The address that the event is about, and the entry or number; 0 where there is none.
  fileprivate var numbers: (address: UInt64, value: UInt64) {
    switch self {
    case .exit(let cause, _): (0, UInt64(ExitCause.allCases.firstIndex(of: cause) ?? 0))
    case .memslotSearch(let gfn, let found): (gfn.baseAddress.rawValue, found ? 1 : 0)
    case .tableLinked(_, let gfn, let spte): (gfn.baseAddress.rawValue, spte.rawValue)
    case .leafInstalled(_, let gfn, _, let new): (gfn.baseAddress.rawValue, new.rawValue)
    case .mmioInstalled(let gfn, let spte, _): (gfn.baseAddress.rawValue, spte.rawValue)
    case .mmioRemembered(let gfn): (gfn.baseAddress.rawValue, 0)
    case .mmioHit(let gfn, let spte, _): (gfn.baseAddress.rawValue, spte.rawValue)
    case .mmioMistaken(let gfn, let generation): (gfn.baseAddress.rawValue, generation)
    case .mmioStale(let gfn, let entry, _): (gfn.baseAddress.rawValue, entry)
    case .verdict(let verdict, let gpa): (gpa.rawValue, UInt64(verdict.strictness))
    case .staleTranslation(let stale): (stale.gva.rawValue, stale.verdict == .mmu ? 1 : 0)
    default: (0, 0)
    }
  }
}
