/// A guest whose tables software can shadow: what a shadow MMU asks beyond walking.
///
/// The shadow MMU knows tables, rights in the shared form and memory; which bits of an entry mean what,
/// and how the processor itself walks the shadow, the guest's architecture says. The tables are those
/// of a processor (`ShadowedProcessor`) or those that a hypervisor inside the guest made for a guest
/// of its own (`NestedGuest`).
public protocol ShadowedGuest: TranslationRegime where Access: MemoryAccess {
  /// How entries of its tables are read.
  associatedtype Entries: GuestEntryFormat
  /// The processor's own walk of shadow tables while this guest runs.
  associatedtype Hardware: TranslationRegime
  where
    Hardware.Input == Input, Hardware.Access == Access, Hardware.Rights == Rights,
    Hardware.Fault == Fault

  /// How entries are read now.
  var entries: Entries { get }
  /// Where its walks begin now.
  var tableRoot: GuestTableRoot { get }
  /// The rules that change what a shadow entry may hold.
  var shadowRules: ShadowRules { get }
  /// The processor's view of a shadow table as its root.
  ///
  /// - Parameters:
  ///   - root: where the tables begin.
  ///   - encryptionMask: the address bits that say how the host's memory is encrypted.
  func hardware(root: HPA, encryptionMask: UInt64) -> Hardware
  /// What becomes of an access that its tables refuse.
  static func outcome(of fault: Fault) -> FaultOutcome
}
