/// An address followed through both levels.
@frozen
public struct NestedTranslation<GuestRights: Sendable, SecondRights: Sendable>: Sendable {
  /// The guest's own translation.
  public let guest: Translation<GuestPhysical, GuestRights>
  /// The second level's translation of the result.
  public let host: Translation<HostPhysical, SecondRights>

  /// Both translations.
  @inlinable
  public init(
    guest: Translation<GuestPhysical, GuestRights>, host: Translation<HostPhysical, SecondRights>
  ) {
    self.guest = guest
    self.host = host
  }
}
