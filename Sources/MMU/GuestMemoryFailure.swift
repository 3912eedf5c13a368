public import Paging

/// Why guest memory does not answer to software.
public protocol GuestMemoryFailure: Error {
  /// The exit that a hypervisor inside the guest gets for it; `nil` where nothing is there at all.
  var reflected: ReflectedExit? { get }
}
