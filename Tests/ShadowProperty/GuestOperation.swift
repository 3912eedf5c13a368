package import Paging
package import Scenario

/// What a random guest does next; each is a step of a scenario.
package enum GuestOperation: Sendable, Equatable {
  /// One access of 1 to 16 bytes.
  case access(GuestAccess)
  /// A write from outside. **Units** bytes.
  case poke(gpa: UInt64, value: UInt64, size: Int)
  case invalidatePage(UInt64, vcpu: Int)
  case setRegister(GuestRegister, UInt64, vcpu: Int)
  /// The slot that comes and goes.
  case addSlot, removeSlot
  /// The host takes the leaves of this many frames away.
  case unmap(gfn: UInt64, count: UInt64)
  /// A check of the tables.
  case audit

  /// The step of a scenario file, on one line.
  package var yaml: String {
    switch self {
    case .access(let access): access.yaml
    case .poke(let gpa, let value, let size):
      "poke: {gpa: \(gpa.hex), value: \(value.hex), size: \(size)}"
    case .invalidatePage(let gva, let vcpu): "invlpg: {va: \(gva.hex), vcpu: \(vcpu)}"
    case .setRegister(let register, let value, let vcpu):
      "set-register: {\(register.rawValue): \(value.hex), vcpu: \(vcpu)}"
    case .addSlot: "memslot: {add: {gpa: \(GuestWorld.extraSlot.hex), size: 16 KiB}}"
    case .removeSlot: "memslot: {remove: {gpa: \(GuestWorld.extraSlot.hex)}}"
    case .unmap(let gfn, let count):
      "host-unmap: {gpa: \((gfn << 12).hex), size: \((count << 12).hex)}"
    case .audit: "audit: {}"
    }
  }
}

/// One access of a random guest.
package struct GuestAccess: Sendable, Equatable {
  package var kind: AccessKind
  package var isUser: Bool
  package var alignmentCheck: Bool
  package var gva: UInt64
  /// **Units** bytes; the access stays inside its page.
  package var size: Int
  /// What is written.
  package var value: UInt128
  package var vcpu: Int

  var yaml: String {
    var parts = ["va: \(gva.hex)", "size: \(size)"]
    if kind == .write { parts.append("value: 0x" + String(value, radix: 16)) }
    if isUser { parts.append("user: true") }
    if alignmentCheck { parts.append("ac: true") }
    parts.append("vcpu: \(vcpu)")
    return "\(kind): {\(parts.joined(separator: ", "))}"
  }
}

extension UInt64 {
  var hex: String { "0x" + String(self, radix: 16) }
}
