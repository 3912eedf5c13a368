public import SystemPackage

/// A guest that runs under QEMU, as its machine protocol (QMP) describes it: registers, and where its
/// memory backends lie in the guest's physical memory.
///
/// The registers are those of one moment; the guest is not stopped for it. The layout is the one that
/// the first vCPU sees outside of system-management mode.
public struct QEMUGuest: Sendable {
  /// The vCPUs, in QEMU's order; EFER is known.
  public let vCPUs: [VCPUState]
  /// MAXPHYADDR, where QEMU tells. **Units** bits, 32...52.
  public let physicalAddressWidth: Int?
  /// The memory backends that are files.
  let backends: [Backend]
  let view: FlatView

  /// A memory backend of the kind `memory-backend-file`.
  struct Backend: Sendable {
    var name: String
    var path: String
    var isShared: Bool
    /// Where in the file it begins. **Units** bytes.
    var offset: UInt64
  }

  private static var mostVCPUs: Int { 4096 }
  private static var mostBackends: Int { 256 }

  /// Asks a running QEMU.
  ///
  /// - Parameters:
  ///   - socket: the UNIX socket of QMP.
  ///   - timeout: for the whole conversation.
  /// - Throws: `QMPError`; also when the time is up.
  public init(
    qmp socket: FilePath, timeout: Duration = .seconds(10)
  ) throws(QMPError) {
    var qemu = QMPConnection(
      try QMPSocket(socket, until: ContinuousClock.now.advanced(by: timeout)))
    try qemu.begin()
    struct Processor: Decodable {
      var number: Int
      var path: String
      var target: String
      enum CodingKeys: String, CodingKey {
        case number = "cpu-index"
        case path = "qom-path"
        case target
      }
    }
    let processors = try qemu.execute("query-cpus-fast", as: [Processor].self)
    guard let first = processors.first, processors.count <= Self.mostVCPUs else {
      throw .malformed("\(processors.count) vCPUs (1...\(Self.mostVCPUs))")
    }
    var vCPUs: [VCPUState] = []
    for processor in processors {
      guard ["x86_64", "i386"].contains(processor.target) else {
        throw .notX86(target: processor.target)
      }
      let text = try qemu.monitor("info registers", cpu: processor.number)
      vCPUs.append(try VCPUState(monitor: text, cpu: processor.number))
    }
    self.vCPUs = vCPUs
    let width = try Self.optional { () throws(QMPError) in
      try qemu.property("phys-bits", of: first.path, as: Int.self)
    }
    physicalAddressWidth = width.flatMap { (32...52).contains($0) ? $0 : nil }
    backends = try Self.backends(&qemu)
    let tree = try qemu.monitor("info mtree -f")
    guard
      let view = FlatView(of: "cpu-memory-\(first.number)", in: tree)
        ?? FlatView(of: "memory", in: tree)
    else { throw .malformed("info mtree -f without the address space of a vCPU") }
    self.view = view
  }

  private static func backends(_ qemu: inout QMPConnection) throws(QMPError) -> [Backend] {
    struct Child: Decodable {
      var name: String
      var type: String
    }
    let children = try qemu.execute("qom-list", [("path", .text("/objects"))], as: [Child].self)
      .filter { $0.type == "child<memory-backend-file>" }
    guard children.count <= mostBackends else {
      throw .malformed("\(children.count) memory backends (at most \(mostBackends))")
    }
    var backends: [Backend] = []
    for child in children {
      let object = "/objects/\(child.name)"
      // The offset is younger than the rest.
      let offset = try optional { () throws(QMPError) in
        try qemu.property("offset", of: object, as: UInt64.self)
      }
      backends.append(
        Backend(
          name: child.name, path: try qemu.property("mem-path", of: object, as: String.self),
          isShared: try qemu.property("share", of: object, as: Bool.self), offset: offset ?? 0))
    }
    return backends
  }

  /// The answer, or `nil` where QEMU knows no such thing.
  private static func optional<Value>(
    _ body: () throws(QMPError) -> Value
  ) throws(QMPError) -> Value? {
    do {
      return try body()
    } catch .refused {
      return nil
    } catch {
      throw error
    }
  }
}
