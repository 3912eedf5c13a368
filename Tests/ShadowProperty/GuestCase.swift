package import MMU
package import Scenario
import SystemPackage
package import X86

/// A machine that random guests run on, as the head of a scenario file says it.
package struct GuestCase: Sendable {
  package let mode: X86Mode
  package let options: ShadowOptions
  /// **Units** pages.
  package let tablePages: Int
  package let vcpus: Int
  /// Whether the machine tells of translations that are stale.
  package var findsStaleTranslations = false

  package init(
    _ mode: X86Mode, _ options: ShadowOptions = ShadowOptions(), tablePages: Int = 400, vcpus: Int
  ) {
    self.mode = mode
    self.options = options
    self.tablePages = tablePages
    self.vcpus = vcpus
  }

  /// All four modes, pools large and small, both flood policies, one to four vCPUs.
  package static let all: [GuestCase] = {
    let old = ShadowOptions(floodPolicy: .perVCPU, allowsUnsync: false, prefetchWindow: 1)
    let mixed = ShadowOptions(floodPolicy: .perVCPU, prefetchWindow: 8)
    let wide = ShadowOptions(prefetchWindow: 32)
    return [
      GuestCase(.legacy32, vcpus: 1), GuestCase(.pae, vcpus: 2), GuestCase(.long4, vcpus: 3),
      GuestCase(.long5, vcpus: 4), GuestCase(.long4, old, vcpus: 1),
      GuestCase(.legacy32, mixed, vcpus: 4), GuestCase(.pae, old, vcpus: 3),
      GuestCase(.long5, mixed, vcpus: 2), GuestCase(.long4, wide, tablePages: 14, vcpus: 2),
      GuestCase(.legacy32, tablePages: 14, vcpus: 2),
      GuestCase(.pae, mixed, tablePages: 14, vcpus: 1),
      GuestCase(.long5, wide, tablePages: 18, vcpus: 1),
    ]
  }()

  package var name: String {
    "\(mode), \(options.floodPolicy.rawValue) floods,"
      + " \(options.allowsUnsync ? "unsync" : "in step"),"
      + " \(options.prefetchWindow) prefetched, \(tablePages) pages, \(vcpus) vCPUs"
  }

  /// A scenario file with these steps.
  package func scenario(named name: String, steps: [String]) -> String {
    let registers = registers
    let lines = [
      "scenario: 1", "name: \"\(name.replacing("\"", with: "'"))\"", "machine:",
      "  guest: \(mode.rawValue)", "  mmu: shadow", "  maxphyaddr: 46", "  vcpus: \(vcpus)",
      "  registers: {cr0: \(registers.cr0.rawValue.hex), cr3: \(registers.cr3.hex),"
        + " cr4: \(registers.cr4.rawValue.hex), efer: \(registers.efer.rawValue.hex)}",
      "  memory:", "    - {gpa: 0x0, size: 4 MiB, hugepages: 2 MiB}",
      "    - {gpa: \(GuestWorld.extraSlot.hex), size: 16 KiB}",
      "  tables: {page-limit: \(tablePages)}",
      "  shadow: {flood: \(options.floodPolicy.rawValue), unsync: \(options.allowsUnsync),"
        + " prefetch: \(options.prefetchWindow)}",
      "  stale-translations: \(findsStaleTranslations)",
      "steps:",
    ]
    return (lines + steps.map { "  - " + $0 }).joined(separator: "\n") + "\n"
  }

  /// The machine, composed as `mmu run` composes it.
  package func makeMachine() throws -> any ScenarioMachine {
    let scenario = try Scenario(yaml: Array(scenario(named: name, steps: ["audit: {}"]).utf8))
    return try ScenarioRunner(scenario, folder: ".").machine
  }

  /// The registers that every vCPU starts with.
  package var registers: X86Registers {
    var state = X86Registers(
      cr0: [.protectionEnable, .writeProtect, .paging], cr3: GuestWorld.base)
    switch mode {
    case .none: break
    case .legacy32: state.cr4.insert(.pageSizeExtensions)
    case .long5: state.cr4.formUnion([.physicalAddressExtension, .linearAddress57])
    case .pae, .long4: state.cr4.insert(.physicalAddressExtension)
    }
    if mode != .legacy32 { state.efer.insert(.noExecuteEnable) }
    if mode == .long4 || mode == .long5 {
      state.efer.formUnion([.longModeEnable, .longModeActive])
    }
    return state
  }
}
