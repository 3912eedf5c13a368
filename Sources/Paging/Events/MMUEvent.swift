/// Something that happened inside the MMU.
public enum MMUEvent: Sendable, Hashable {
  /// A vCPU left the guest; what the hardware said of it, in words.
  case exit(ExitCause, String)
  /// A memslot was looked up; `found` says whether one holds the frame.
  case memslotSearch(gfn: GFN, found: Bool)
  /// A table page was linked.
  case tableLinked(level: Level, gfn: GFN, spte: SPTE)
  /// A leaf was installed.
  case leafInstalled(level: Level, gfn: GFN, old: SPTE, new: SPTE)
  /// An MMIO entry was installed.
  case mmioInstalled(gfn: GFN, spte: SPTE, generation: UInt64)
  /// The vCPU's last MMIO frame was asked for again: no entry was looked up, no memslot searched.
  case mmioRemembered(gfn: GFN)
  /// An MMIO entry answered, without a memslot search.
  case mmioHit(gfn: GFN, spte: SPTE, generation: UInt64)
  /// An MMIO entry of an older generation was found; the fault goes on in full.
  case mmioStale(gfn: GFN, entryGeneration: UInt64, generation: UInt64)
  /// An MMIO entry answered for a frame that has a memslot by now: its generation has come round
  /// again. Only where entries outlive the wrap of generations.
  case mmioMistaken(gfn: GFN, generation: UInt64)
  /// A policy said something other than "go on".
  case verdict(FaultVerdict, gpa: GPA)
  /// A compare-exchange on an entry was lost to somebody else.
  case raceLost(level: Level, gfn: GFN)
  /// A guest's table got a shadow page; the frame is write-tracked from now on.
  case tableShadowed(level: Level, gfn: GFN)
  /// A shadow page was given up, and why.
  case pageZapped(level: Level, gfn: GFN, ZapReason)
  /// A leaf table was let go out of step with its shadow: the guest writes it without exits.
  case tableUnsynced(gfn: GFN)
  /// A leaf table was brought in step; how many entries changed.
  case tableSynced(gfn: GFN, changed: Int)
  /// The guest wrote a shadowed table.
  case tableWritten(GPA, byteCount: Int)
  /// All vCPUs must empty their TLBs before they go on.
  case remoteFlush
  /// All roots became invalid.
  case rootsInvalidated
  /// A translation was used that tables or memslots do not say any more; told where a machine keeps a
  /// `TranslationLedger` alone.
  case staleTranslation(StaleTranslation)
}
