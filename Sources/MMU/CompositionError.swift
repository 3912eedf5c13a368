public import Paging

/// Why parts do not make a machine.
public enum CompositionError: Error, Sendable, Hashable {
  /// The host gives no memory.
  case host(HostMemoryError)
  /// The slots contradict each other or the address space.
  case slots(MemslotError)
  /// A slot does not begin and end at a page.
  case misaligned(GPA, byteCount: UInt64)
  /// All parts together need more host memory than is ever reserved.
  case tooLarge(limit: UInt64)
  /// A slot lies where the second level's processor has no address.
  case beyondAddressWidth(GPA, encoder: String, width: Int)
  /// Host memory reaches further than the entries can point.
  case hostBeyondAddressWidth(byteCount: UInt64, encoder: String, width: Int)
  /// A hypervisor inside the guest would have a second level that the host's processor has not.
  case nestedBeyondHost(encoder: String)
  /// Fewer table pages than one access needs at once. **Units** pages.
  case tooFewTablePages(limit: Int, needed: Int)
  /// The MMU cannot begin.
  case mmu(FaultError)
}

extension CompositionError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .host(let error): "\(error)"
    case .slots(let error): "\(error)"
    case .misaligned(let gpa, let count):
      "a slot of \(count) bytes at \(gpa) (both are multiples of 4096)"
    case .tooLarge(let limit): "the slots need more than \(limit) bytes of host memory"
    case .beyondAddressWidth(let gpa, let encoder, let width):
      "the slot at \(gpa) passes the \(width) address bits of encoder \(encoder)"
    case .hostBeyondAddressWidth(let count, let encoder, let width):
      "\(count) bytes of host memory pass the \(width) address bits of encoder \(encoder)"
    case .nestedBeyondHost(let encoder):
      "the second level inside the guest has more than the processor behind encoder \(encoder)"
    case .tooFewTablePages(let limit, let needed):
      "\(limit) table pages (tables of \(needed) levels need at least \(needed))"
    case .mmu(let error): "\(error)"
    }
  }
}
