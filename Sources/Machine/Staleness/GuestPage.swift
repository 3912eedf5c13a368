import MMU
import Paging

/// What the guest's own tables say of a page at this moment.
struct GuestPage<Guest: TranslationRegime> {
  /// Where the guest's tables lead: the guest's own address of the byte.
  var address: GPA
  /// Where that is; `nil` where no memory is.
  var place: GuestPlace?
  var rights, tableRights: Guest.Rights
  var leaf: UInt64
  var permissions: Permissions
  var memoryType: Int
}
