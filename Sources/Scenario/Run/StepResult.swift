public import Machine
public import Paging
public import X86TDX

/// What one step came to.
public struct StepResult: Sendable {
  /// The step's number, from 1.
  public var number: Int
  /// The step.
  public var step: Step
  /// Whether it did what it says.
  public var isDone = false
  /// Where the first byte is, for the guest.
  public var gpa: GPA?
  /// Where the first byte is, in the machine's memory.
  public var hpa: HPA?
  /// The bytes read, or those written.
  public var bytes: [UInt8] = []
  /// The exception the guest got.
  public var fault: (vector: UInt8, errorCode: UInt32)?
  /// The exit that the hypervisor inside the guest got.
  public var reflected: ReflectedExit?
  /// What the guest is told where the exception is a #VE.
  public var exception: VirtualizationExceptionArea?
  /// What the TDX module answered.
  public var status: TDXStatus?
  /// What the host answered to a call of a trust domain's guest.
  public var answer: TDVMCallAnswer?
  /// What a trust domain's guest did about #VE; the first few.
  public var calls: [GuestCall] = []
  /// How often it did something.
  public var callCount = 0
  /// Why the step could not go on, in words.
  public var problem: String?
  /// Why a register could not be set, in words.
  public var reason: String?
  /// For a replayed trace: the accesses that ended otherwise than recorded.
  public var differences: Int?
  /// What an audit found, one line each.
  public var breaches: [String] = []
  /// The exits, by cause.
  public var exits: [(cause: ExitCause, count: Int)] = []
  /// Whether the first page's translation came from the TLB; `nil` where none was asked for.
  public var isTLBHit: Bool?
  /// What answered on the MMIO bus.
  public var mmio: MMIOAnswer?
  /// The translations that the step used though they were stale; the first few.
  public var staleTranslations: [StaleTranslation] = []
  /// How many came after those.
  public var staleLeftOut = 0
  /// Whether anybody looked for them.
  public var isLookedAtForStale = false
  /// What happened inside the MMU.
  public var events: [MMUEvent] = []
  /// How many events came after those.
  public var eventsLeftOut = 0
  /// What plugins said.
  public var pluginLines: [String] = []
  /// The guest's own tables for the address, before and after the step.
  public var walk: [WalkedEntry] = []
  /// For a step of many accesses: how many went through; for `parallel` how many steps.
  public var completed: Int?
  /// What the host found or did: written pages, used leaves, leaves taken away.
  public var count: Int?
  /// Pages that came from elsewhere meanwhile; `nil` where none did.
  public var fetchedPages: Int?
  /// The expectations that do not hold, in words.
  public var mismatches: [String] = []

  /// Whether the step counts as passed.
  public var isPassed: Bool { mismatches.isEmpty }

  init(number: Int, step: Step) {
    self.number = number
    self.step = step
  }

  /// The most calls of the guest that are told.
  private static var callsTold: Int { 16 }

  mutating func note(_ calls: [GuestCall]) {
    callCount += calls.count
    self.calls += calls.prefix(max(0, Self.callsTold - self.calls.count))
  }

  /// The bytes as a little-endian number.
  public var value: UInt128 {
    bytes.prefix(16).reversed().reduce(0) { $0 << 8 | UInt128($1) }
  }

  /// The bytes as text: printable ASCII, other bytes as dots, zeros at the end left out.
  public var text: String {
    let end = bytes.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
    return String(
      decoding: bytes[..<end].map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: ".") },
      as: UTF8.self)
  }
}
