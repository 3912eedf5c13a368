import GuestImage
import Paging
import Report
import X86

/// What `mmu info` prints.
struct ImageReport {
  let name: String
  let image: GuestImage
  /// `nil` where nobody says what CR3 is.
  let registers: ImageRegisters?
  let problem: ImageError?
  /// Who told the mode.
  let source: String

  /// How many segments the text lists.
  private static var shownSegments: Int { 64 }

  private var format: String {
    image.isLive ? "memory of a running QEMU" : image.format.description
  }

  var json: JSONLine {
    var line = JSONLine()
    line.add("image", name)
    line.add("format", format)
    if let inner = image.inner {
      line.add("secondLevel", "\(inner.second)")
    }
    line.add("fileSize", hex: image.fileSize)
    line.add("memorySize", hex: image.memorySize)
    if let machine = image.machine {
      line.add("machine", Int(machine))
    } else {
      line.addNull("machine")
    }
    line.add("segments", image.segments.map(segment))
    line.add("vcpus", image.vCPUs.enumerated().map { vCPU($0.offset, $0.element) })
    if let registers {
      line.add("mode", registers.registers.mode.rawValue)
      line.add("modeFrom", source)
      line.add("cr3", hex: registers.registers.cr3)
      line.add("maxphyaddr", registers.features.physicalAddressWidth)
    } else {
      line.addNull("mode")
    }
    line.add("notes", notes)
    return line
  }

  private func segment(_ segment: ImageSegment) -> JSONLine {
    var line = JSONLine()
    line.add("number", segment.number)
    line.add("gpa", segment.gpa)
    line.add("end", segment.end)
    line.add("size", hex: segment.size)
    line.add("fileOffset", hex: segment.fileOffset)
    line.add("fileSize", hex: segment.fileSize)
    return line
  }

  private func vCPU(_ number: Int, _ state: VCPUState) -> JSONLine {
    var line = JSONLine()
    line.add("cpu", number)
    for (name, value) in Self.registers(of: state) { line.add(name, hex: value) }
    line.add("cpl", state.privilegeLevel)
    return line
  }

  private static func registers(of state: VCPUState) -> [(String, UInt64)] {
    [
      ("cr0", state.cr0), ("cr2", state.cr2), ("cr3", state.cr3), ("cr4", state.cr4),
      ("rip", state.rip), ("rflags", state.rflags),
    ] + (state.efer.map { [("efer", $0)] } ?? [])
      + Array(zip(VCPUState.generalRegisterNames, state.generalRegisters))
  }

  private var notes: [String] {
    (registers?.notes ?? []) + (problem.map { [$0.description] } ?? [])
  }

  var text: [String] {
    let machine = image.machine.map { ", ELF machine \($0)" } ?? ""
    var lines = [
      "\(name): \(format)\(machine), \(image.fileSize) bytes"
    ]
    if let inner = image.inner { lines.append("a guest inside the guest, behind \(inner.second)") }
    lines.append("memory: \(image.memorySize) bytes in \(image.segments.count) segments")
    for segment in image.segments.prefix(Self.shownSegments) {
      let short =
        segment.fileSize < segment.size
        ? ", \((segment.size - segment.fileSize).hex) of them zeros that the file leaves out" : ""
      lines.append("  \(segment.gpa)-\(segment.end)  \(segment.size.hex) bytes\(short)")
    }
    if image.segments.count > Self.shownSegments {
      lines.append("  … and \(image.segments.count - Self.shownSegments) more (--json lists all)")
    }
    lines.append("vCPUs: \(image.vCPUs.isEmpty ? "none named" : "\(image.vCPUs.count)")")
    for (number, state) in image.vCPUs.enumerated() {
      lines.append("  vCPU \(number), CPL \(state.privilegeLevel)")
      let registers = Self.registers(of: state)
      for start in stride(from: 0, to: registers.count, by: 4) {
        let row = registers[start..<min(start + 4, registers.count)]
        lines.append("    " + row.map { "\($0.0) \($0.1.hex)" }.joined(separator: "  "))
      }
    }
    if let registers {
      lines.append(
        "mode: \(registers.registers.mode.rawValue) (\(sourceWords)),"
          + " CR3 \(registers.registers.cr3.hex), MAXPHYADDR"
          + " \(registers.features.physicalAddressWidth)")
    } else {
      lines.append("mode: not known")
    }
    return lines + notes.map { "note: \($0)" }
  }

  private var sourceWords: String {
    switch source {
    case "flags": "from the command line"
    case "sidecar": "from the sidecar"
    case "CR0": "from CR0"
    case "image": "from the image"
    default: "assumed"
    }
  }
}
