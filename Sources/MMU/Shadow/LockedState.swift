/// Memory of its own for what a lock guards.
///
/// A class's own properties are checked for overlapping use at run time, at every access; the lock has
/// seen to that already. **Requires** that nothing is used outside the lock.
@usableFromInline
@safe
struct LockedState<Value>: ~Copyable {
  @usableFromInline let place: UnsafeMutablePointer<Value>

  @inlinable
  init(_ value: Value) {
    unsafe place = .allocate(capacity: 1)
    unsafe place.initialize(to: value)
  }

  deinit {
    // SAFETY: initialised by `init`, and nobody else frees it.
    unsafe place.deinitialize(count: 1)
    unsafe place.deallocate()
  }

  /// The value, used in place.
  @inlinable
  var value: Value {
    // SAFETY: initialised for as long as this lives; the lock keeps others out.
    @inline(__always) unsafeAddress { unsafe UnsafePointer(place) }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe place }
  }
}
