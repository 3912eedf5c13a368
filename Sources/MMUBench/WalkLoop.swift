internal import CBenchTwin
import Paging
import X86

/// One timed loop of walks: the same numbers for the library's side and for the twin's.
struct WalkLoop {
  var base: UInt64
  var bits: Int
  var count: Int
  /// What is asked of the addresses, in turn.
  var accesses: InlineArray<8, X86Access> = [
    X86Access(.read, user: true), X86Access(.write, user: true), X86Access(.read, user: true),
    X86Access(.read, alignmentCheck: true), X86Access(.fetch, user: true),
    X86Access(.read, user: true), X86Access(.write, user: true), X86Access(.read, user: true),
  ]

  /// What a loop found: equal for equal loops, whatever the language.
  struct Tally: Equatable {
    var checksum: UInt64 = 0
    var failures: UInt64 = 0
  }

  /// Walks with the library.
  @inline(__always)
  func run<Regime: TranslationRegime, Strategy: WalkStrategy, Pattern: AddressPattern>(
    _ regime: Regime, _ strategy: Strategy, _ pattern: Pattern.Type,
    in memory: borrowing BufferMemory
  ) -> Tally
  where
    Regime.Input == GuestVirtual, Regime.Access == X86Access, Regime.Rights == X86Rights,
    Regime.Fault == X86Fault
  {
    var tally = Tally()
    var pattern = Pattern()
    var last: UInt64 = 0
    let bits = UInt64(bits)
    // An index into the array itself would copy it to the stack at each step.
    let accesses = self.accesses
    let kinds = accesses.span
    for step in 0..<count {
      let address = GVA(base &+ pattern.next(after: last, bits: bits))
      let access = kinds[step & 7]
      switch regime.translate(address, for: access, in: memory, strategy) {
      case .success(let translation):
        let rights = translation.rights.granted & Self.rightsBits
        let tables = translation.tableRights.granted & Self.rightsBits
        let size = UInt64(truncatingIfNeeded: translation.pageSize.shift) &<< 8
        let level = UInt64(truncatingIfNeeded: translation.level.rawValue)
        last = translation.address.rawValue
        tally.checksum &+= (last ^ translation.leaf) &+ rights &+ tables &* 2 &+ (size | level)
      case .failure(let failure):
        tally.failures += 1
        tally.checksum &+= Self.digest(failure)
        last = 0
      }
    }
    return tally
  }

  static var rightsBits: UInt64 {
    X86Rights.executeBit | X86Rights.userBit | X86Rights.writeBit
  }

  @inline(never)
  private static func digest(_ failure: WalkFailure<X86Fault, BufferHole>) -> UInt64 {
    switch failure {
    case .fault(let fault):
      UInt64(fault.vector) << 32 | UInt64(truncatingIfNeeded: fault.level.rawValue) << 40
        | UInt64(fault.errorCode.rawValue)
    case .unreadable(_, _, let level): UInt64(truncatingIfNeeded: level.rawValue) << 40
    case .contended: 0
    }
  }

  /// Walks with the twin.
  func runTwin(
    _ setup: cbt_setup, _ work: cbt_work, _ pattern: cbt_pattern, in memory: borrowing BufferMemory
  ) -> Tally {
    var setup = setup
    var loop = unsafe twinLoop(work, pattern, in: memory)
    // SAFETY: both structures live through the call, which keeps neither.
    let tally = unsafe cbt_run(&setup, &loop)
    return Tally(checksum: tally.checksum, failures: tally.failures)
  }

  /// This loop as the twin's functions take it.
  func twinLoop(
    _ work: cbt_work, _ pattern: cbt_pattern, in memory: borrowing BufferMemory
  ) -> cbt_loop {
    unsafe cbt_loop(
      work: work, pattern: pattern, bytes: memory.bytes,
      size: UInt64(memory.byteCount), base: base, bits: UInt32(bits),
      accesses: (
        Self.twin(accesses[0]), Self.twin(accesses[1]), Self.twin(accesses[2]),
        Self.twin(accesses[3]), Self.twin(accesses[4]), Self.twin(accesses[5]),
        Self.twin(accesses[6]), Self.twin(accesses[7])
      ), count: UInt64(count))
  }

  private static func twin(_ access: X86Access) -> UInt8 {
    var bits = 0
    if access.kind == .write { bits |= Int(CBT_WRITE) }
    if access.kind == .fetch { bits |= Int(CBT_FETCH) }
    if access.isUser { bits |= Int(CBT_USER) }
    if access.isImplicit { bits |= Int(CBT_IMPLICIT) }
    if access.alignmentCheck { bits |= Int(CBT_ALIGNMENT_CHECK) }
    if access.isStack { bits |= Int(CBT_STACK) }
    if access.isShadowStack { bits |= Int(CBT_SHADOW_STACK) }
    return UInt8(bits)
  }
}
