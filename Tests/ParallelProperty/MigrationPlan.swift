package import MMU
package import Paging

/// How written pages are found during a migration.
package struct MigrationPlan: Sendable, CustomStringConvertible {
  package var method: DirtyMethod
  package var usesRings: Bool
  package var isInitiallySet = false
  package var backing = PageSize.size4KiB

  package static let all = [
    MigrationPlan(method: .writeProtect, usesRings: false),
    MigrationPlan(method: .writeProtect, usesRings: false, backing: .size2MiB),
    MigrationPlan(
      method: .writeProtect, usesRings: false, isInitiallySet: true, backing: .size2MiB),
    MigrationPlan(method: .writeProtect, usesRings: true),
    MigrationPlan(method: .dirtyBit, usesRings: false),
    MigrationPlan(method: .dirtyBit, usesRings: false, backing: .size2MiB),
    MigrationPlan(method: .pageModificationLog, usesRings: false),
    MigrationPlan(method: .pageModificationLog, usesRings: true),
  ]

  package var description: String {
    method.rawValue + (usesRings ? ", rings" : ", bitmap")
      + (isInitiallySet ? ", initially set" : "") + (backing == .size2MiB ? ", 2 MiB" : "")
  }
}
