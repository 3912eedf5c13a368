/// A translation that a vCPU used though tables or memslots do not say it any more.
///
/// **Source** Intel SDM Vol. 3A, "Invalidation of TLBs and Paging-Structure Caches": after a change of
/// its tables a processor may go on with what it has cached, until software invalidates it.
public struct StaleTranslation: Sendable, Hashable {
  /// Who has to flush.
  public enum Verdict: String, Sendable, Hashable, CaseIterable {
    /// The guest changed its tables and has not invalidated the address on this vCPU since: what it
    /// sees is allowed, and its own error if it did not mean it.
    case guest = "guest-has-not-flushed"
    /// The host changed what is behind the guest's back, or the guest did invalidate the address: the
    /// MMU had to drop the translation.
    case mmu = "mmu-forgot-to-flush"
    /// The hypervisor inside the guest changed the tables of its guest, and has not invalidated them on
    /// this vCPU since.
    case hypervisor = "hypervisor-has-not-flushed"
  }

  /// In what the old translation is wrong.
  public struct Difference: OptionSet, Sendable, Hashable {
    /// **Bits** 0 frame, 1 rights, 2 memory type.
    public let rawValue: UInt8
    /// Takes the bits as they are.
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    /// It leads to another frame, or now nowhere.
    public static let frame = Difference(rawValue: 1)
    /// It grants what is not granted any more.
    public static let rights = Difference(rawValue: 2)
    /// It is cached as another memory type.
    public static let memoryType = Difference(rawValue: 4)
  }

  /// Where a page leads, and how.
  public struct Page: Sendable, Hashable {
    /// The guest physical page.
    public var gpa: GPA?
    /// The host page.
    public var hpa: HPA?
    /// What guest and host grant together.
    public var permissions: Permissions
    /// The entry of IA32_PAT that the guest's leaf chooses.
    public var memoryType: Int

    /// A page of 4 KiB.
    public init(gpa: GPA?, hpa: HPA?, permissions: Permissions, memoryType: Int) {
      self.gpa = gpa
      self.hpa = hpa
      self.permissions = permissions
      self.memoryType = memoryType
    }
  }

  /// A write of a guest's table entry.
  public struct TableWrite: Sendable, Hashable {
    /// The entry that it changed.
    public var gpa: GPA
    /// What the entry held before and after.
    public var before, after: UInt64
    /// Who wrote; `nil` for a write from outside the guest.
    public var vcpu: Int?
    /// The step of the run, where somebody counts them.
    public var step: Int?

    /// A write.
    public init(gpa: GPA, before: UInt64, after: UInt64, vcpu: Int?, step: Int?) {
      self.gpa = gpa
      self.before = before
      self.after = after
      self.vcpu = vcpu
      self.step = step
    }
  }

  /// What the host did to frames.
  public struct HostOperation: Sendable, Hashable {
    /// The kinds that concern translations.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
      /// The host took the memory behind the frames away.
      case unmap
      /// The memslots changed.
      case memslots
      /// Writes to the frames are recorded from now on, or again.
      case dirtyLog = "dirty-log"
      /// All tables were dropped.
      case zap
      /// The machine was put back to what it was.
      case restore
      /// The frames became private, or shared.
      case conversion
      /// The TDX module blocked or removed private pages.
      case secureRemoval = "secure-removal"
      /// The pool of table pages was short.
      case recycling
      /// A shadowed table was written too often or askew, and given up.
      case flooding
      /// Shadow tables followed the guest's.
      case tableSync = "table-sync"
      /// Writes to the frames are tracked from now on.
      case writeTracking = "write-tracking"
      /// Small executable pages gave way to a large one.
      case nxRecovery = "nx-recovery"
      /// Small pages became a large one.
      case collapse
      /// The pages' use is looked for, without help of the hardware.
      case ageing
    }

    /// What was done.
    public var kind: Kind
    /// To which frames.
    public var frames: Range<GFN>
    /// The step of the run, where somebody counts them.
    public var step: Int?

    /// An operation.
    public init(_ kind: Kind, frames: Range<GFN>, step: Int?) {
      self.kind = kind
      self.frames = frames
      self.step = step
    }
  }

  /// What made the translation stale.
  public enum Cause: Sendable, Hashable {
    /// A write of the guest's tables.
    case write(TableWrite)
    /// The host.
    case host(HostOperation)
    /// Nothing that was noted: a change before anybody looked, or one that is forgotten by now.
    case unknown
  }

  /// Which vCPU used it.
  public var vcpu: Int
  /// The linear address of the access.
  public var gva: GVA
  /// Whether the TLB had it; else it came just now from shadow tables that lag behind the guest's.
  public var isTLBHit: Bool
  /// What was used.
  public var old: Page
  /// What the tables say now; `nil` where they lead nowhere.
  public var new: Page?
  /// In what these differ.
  public var difference: Difference
  /// What made it so.
  public var cause: Cause
  /// Who has to flush.
  public var verdict: Verdict

  /// A finding.
  public init(
    vcpu: Int, gva: GVA, isTLBHit: Bool, old: Page, new: Page?, difference: Difference,
    cause: Cause, verdict: Verdict
  ) {
    self.vcpu = vcpu
    self.gva = gva
    self.isTLBHit = isTLBHit
    self.old = old
    self.new = new
    self.difference = difference
    self.cause = cause
    self.verdict = verdict
  }
}
