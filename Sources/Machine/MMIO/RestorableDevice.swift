/// A device that a machine's snapshot can keep.
public protocol RestorableDevice: MMIODevice {
  /// What the device holds.
  associatedtype State: Sendable
  /// What it holds now; assigned, what it held.
  var state: State { get nonmutating set }
}
