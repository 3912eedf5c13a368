import Paging
import X86

extension RuleBook {
  /// Whether the protection key of the page denies the access (SPEC W10).
  func keyRule(_ leaf: ExplainedEntry) -> AccessRule {
    let ofUsers = isUserPage
    let name =
      ofUsers
      ? "Protection key of user pages (PKU)" : "Protection key of supervisor pages (PKS)"
    let isOn = ofUsers ? controls.userKeys : controls.supervisorKeys
    guard isOn else {
      return Self.notAsked(name, source: Self.keys, "CR4.\(ofUsers ? "PKE" : "PKS") is off")
    }
    guard access.kind != .fetch else {
      return Self.notAsked(name, source: Self.keys, "keys do not concern fetches")
    }
    let register = ofUsers ? "PKRU" : "IA32_PKRS"
    let held = ofUsers ? situation.registers.pkru : situation.registers.pkrs
    let bit = 2 * leaf.key
    let accessDisabled = held >> UInt32(bit) & 1 != 0
    let writeDisabled = held >> UInt32(bit + 1) & 1 != 0
    let writeCounts =
      access.kind == .write && (controls.writeProtect || (ofUsers && access.isUser))
    let isDenied = accessDisabled || (writeDisabled && writeCounts)
    let words: String
    if accessDisabled {
      words = "\(register) denies all data accesses to pages of key \(leaf.key) (AD=1)"
    } else if isDenied {
      words = "\(register) denies writes to pages of key \(leaf.key) (WD=1)"
    } else if writeDisabled, access.kind == .write {
      words = "WD=1 does not bind this write: CR0.WP=0"
    } else {
      words = "\(register) grants key \(leaf.key)"
    }
    var repair: [AccessChange] = []
    func bitOf(_ number: Int) -> AccessChange {
      .registerBit(ofUsers ? .pkru(number) : .pkrs(number))
    }
    if accessDisabled { repair.append(bitOf(bit)) }
    if writeDisabled && writeCounts { repair.append(bitOf(bit + 1)) }
    return AccessRule(
      name, source: Self.keys, isDenied ? .failed : .passed,
      [
        .init("\(leaf.name).key", UInt64(leaf.key)), .init(register, UInt64(held)),
        .init("AD", accessDisabled), .init("WD", writeDisabled),
      ], words, cause: .permission, repair: repair)
  }
}
