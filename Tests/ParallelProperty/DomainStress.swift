import MMU
import Machine
import Paging
import TestSupport
import X86
import X86TDX

/// A trust domain's vCPUs against everything that changes its memory, on threads of their own (SPEC E16).
///
/// Each vCPU uses the same frames as private and as shared ones, and others that are never private. One
/// thread changes the shared EPT of the latter, another one the private memory.
struct DomainStress {
  private enum Kind: UInt64, CaseIterable {
    case asPrivate, asShared, plain

    var base: UInt64 {
      switch self {
      case .asPrivate: Domain.privateBase
      case .asShared: Domain.sharedBase
      case .plain: Domain.plainBase
      }
    }
  }

  private let stress: Stress
  private let domain: Domain
  private let conversions = ConversionHistory()

  init(_ stress: Stress) throws {
    self.stress = stress
    domain = try Domain(
      vcpus: Stress.vcpus, backing: stress.shape.backing, pages: Stress.pages, ring: 192)
  }

  func run() -> Stress.Report {
    let progress = Stress.Progress()
    runThreads(Stress.vcpus + 2) { index in
      switch index {
      case ..<Stress.vcpus:
        live(vcpu: index, progress)
        progress.end()
      case Stress.vcpus:
        var disturber = Disturber(
          domain.mmu.shared, domain.memory, data: GFN(0x1_0000), slot: 1,
          logsModifications: false, seed: stress.seed << 8 | 0xFF)
        progress.disturb { try disturber.change(progress) }
        progress.add(disturber.changes.map { ($0.rawValue, $1) })
      default:
        var disturber = DomainDisturber(domain, conversions, seed: stress.seed << 8 | 0xFE)
        progress.disturb { try disturber.change(progress) }
        progress.add(disturber.changes.map { ($0.rawValue, $1) })
      }
    }
    domain.module.makeBusy(calls: 0)
    var report = stress.report(on: progress, domain.machine, audit: domain.mmu.audit())
    report.mistakes += conversions.breaches()
    return report
  }

  /// What one vCPU notes.
  private struct Notes {
    var operations: [CellHistories.Entry] = []
    var resets: [(cell: UInt64, reset: RegisterHistory.Reset)] = []
    var sightings: [ConversionHistory.Sighting] = []
  }

  /// One vCPU's life: at least so many accesses that are done, and until enough has changed under them.
  private func live(vcpu: Int, _ progress: Stress.Progress) {
    var random = SeededGenerator(seed: stress.seed << 8 | UInt64(vcpu))
    var notes = Notes()
    var value = UInt64(vcpu + 1) << 40
    for _ in 0..<(stress.accesses * 80) {
      if stress.isEnough(notes.operations.count, progress) { break }
      let kind = random.pick(Kind.allCases)
      let page = random.flip() ? random.next() % 4 : random.next() % Stress.pages
      let cell = random.next() % Stress.cells
      let isWrite = random.flip()
      if isWrite { value += 1 }
      let start = progress.histories.now
      let report = stress.patiently {
        domain.access(
          isWrite ? .write : .read, kind.base + page << 12 + cell * 8, value: UInt128(value),
          vcpu: vcpu)
      }
      let end = progress.histories.now
      var isGranted = true
      switch report.outcome {
      case .done(let found):
        notes.operations.append(
          (
            CellHistories.cell(cell, ofPage: kind.rawValue << 8 | page),
            RegisterHistory.Operation(
              isWrite: isWrite, value: UInt64(truncatingIfNeeded: found), start: start, end: end)
          ))
      case .injected where Domain.isVE(report) && kind == .asPrivate:
        accept(page, &notes, progress)
      case .failed(.memoryFault(_, let isPrivate))
      where kind != .plain && isPrivate == (kind == .asPrivate):
        isGranted = false
      // The host has blocked the entry, and has not removed or unblocked it yet.
      case .failed(.refused(_, reason: "its entry is blocked")) where kind == .asPrivate: break
      default: progress.note("vCPU \(vcpu), \(kind), page \(page): \(report.outcome)")
      }
      guard kind != .plain else { continue }
      notes.sightings.append(
        .init(
          page: page, asPrivate: kind == .asPrivate, isGranted: isGranted, start: start, end: end))
    }
    progress.histories.add(notes.operations)
    progress.histories.add(resets: notes.resets)
    conversions.add(notes.sightings)
  }

  /// Accepts a page as the guest's handler of the #VE does; where it is part of a large one, that.
  private func accept(_ page: UInt64, _ notes: inout Notes, _ progress: Stress.Progress) {
    for level in [Level.pageTable, .directory] {
      let first = level == .pageTable ? page : 0
      let start = progress.histories.now
      do throws(TDXError) {
        try domain.mmu.accept(domain.frames(first..<first + 1).lowerBound, level)
        let reset = RegisterHistory.Reset(start: start, end: progress.histories.now)
        for page in level == .pageTable ? page..<page + 1 : 0..<Stress.pages {
          for cell in 0..<Stress.cells {
            let place = CellHistories.cell(cell, ofPage: Kind.asPrivate.rawValue << 8 | page)
            notes.resets.append((place, reset))
          }
        }
        return
      } catch .module(.pageSizeMismatch) {
        continue
      } catch .module(.pageAlreadyAccepted) {
        return
      } catch .module(.eptEntryStateIncorrect) {
        // Blocked.
        return
      } catch .shared {
        return
      } catch { return progress.note("accepting page \(page), level \(level): \(error)") }
    }
  }
}
