/// What decides, besides the entry, whether a violation becomes a #VE (SPEC E15).
public struct VirtualizationExceptionState: Sendable, Hashable {
  /// The VM-execution control "EPT-violation #VE".
  public var isEnabled: Bool
  /// CR0.PE.
  public var isProtectedMode: Bool
  /// Whether the violation came while an event was delivered.
  public var isDeliveringEvent: Bool
  /// The 32 bits at offset 4 of the information area; anything but 0 means that it is in use.
  public var busyWord: UInt32
  /// The EPTP index in force.
  public var eptpIndex: UInt16

  /// A state.
  public init(
    isEnabled: Bool, isProtectedMode: Bool = true, isDeliveringEvent: Bool = false,
    busyWord: UInt32 = 0, eptpIndex: UInt16 = 0
  ) {
    self.isEnabled = isEnabled
    self.isProtectedMode = isProtectedMode
    self.isDeliveringEvent = isDeliveringEvent
    self.busyWord = busyWord
    self.eptpIndex = eptpIndex
  }
}
