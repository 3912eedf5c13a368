public import Paging

/// Why the processor's walk gave no translation.
@frozen
public enum HardwareFailure<GuestFault: Error, Exit: Error>: Error {
  /// The guest gets an exception, and the host learns nothing of it.
  case guest(GuestFault)
  /// An exit to the fault handler.
  case exit(Exit)
  /// The processor read a table outside host memory: a bug of whoever wrote the entries.
  case outside(HPA)
  /// The hardware's log of written pages is full; the write did not happen.
  case modificationLogFull
  /// Entries kept changing.
  case contended
}

extension HardwareFailure where GuestFault == Never {
  /// The same failure where the guest's tables could have failed too.
  @inlinable
  public func widened<Fault: Error>() -> HardwareFailure<Fault, Exit> {
    switch self {
    case .exit(let exit): .exit(exit)
    case .outside(let hpa): .outside(hpa)
    case .modificationLogFull: .modificationLogFull
    case .contended: .contended
    }
  }
}
