public import Paging
import Report
public import X86TDX

/// What guest and host do to private memory.
public enum PrivateMemoryAction: Sendable {
  /// The guest asks for a range to be private, or shared.
  case convert(GPA, byteCount: UInt64, toPrivate: Bool, vcpu: Int)
  /// The guest accepts the pages of a range.
  case accept(GPA, byteCount: UInt64, pageSize: PageSize, vcpu: Int)
  /// The guest calls the host (TDG.VP.VMCALL).
  case call(TDVMCall, vcpu: Int)
  /// The host asks the TDX module.
  case module(ModuleCall)

  /// What the host asks of the TDX module, or does to it.
  public enum ModuleCall: Sendable {
    /// Adds the pages of a range, or gives them all back.
    case add(GPA, byteCount: UInt64), reclaim(GPA, byteCount: UInt64)
    /// Adds pages that the guest must accept.
    case augment(GPA, byteCount: UInt64, PageSize)
    /// One function for one entry.
    case entry(EntryFunction, GPA, PageSize)
    /// Ends the building of the domain.
    case finalize
    /// Opens a new epoch.
    case track
    /// A vCPU stays inside the domain from here on, or leaves it.
    case enter(vcpu: Int), leave(vcpu: Int)
    /// The next calls find a lock held.
    case busy(calls: Int)
  }

  /// The functions that take one entry.
  public enum EntryFunction: String, Sendable, CaseIterable {
    /// TDH.MEM.RANGE.BLOCK, TDH.MEM.RANGE.UNBLOCK, TDH.MEM.PAGE.REMOVE.
    case block, unblock, remove
    /// TDH.MEM.PAGE.PROMOTE, TDH.MEM.PAGE.DEMOTE.
    case promote, demote
  }

  /// The step's word.
  var name: ActionName {
    switch self {
    case .convert: .convert
    case .accept: .accept
    case .call: .vmcall
    case .module: .tdx
    }
  }

  /// The step, in words.
  var inWords: String {
    func on(_ vcpu: Int) -> String { vcpu == 0 ? "" : ", vCPU \(vcpu)" }
    switch self {
    case .convert(let gpa, let count, let toPrivate, let vcpu):
      return "convert GPA \(gpa), \(count.hex) bytes, to \(toPrivate ? "private" : "shared")"
        + on(vcpu)
    case .accept(let gpa, let count, let size, let vcpu):
      return "the guest accepts GPA \(gpa), \(count.hex) bytes in pages of \(size)" + on(vcpu)
    case .call(let call, let vcpu): return "TDG.VP.VMCALL<\(call.inWords)>" + on(vcpu)
    case .module(.add(let gpa, let count)):
      return "TDX: add the pages of GPA \(gpa), \(count.hex) bytes"
    case .module(.reclaim(let gpa, let count)):
      return "TDX: take back the pages of GPA \(gpa), \(count.hex) bytes"
    case .module(.augment(let gpa, let count, let size)):
      return "TDX: augment GPA \(gpa), \(count.hex) bytes in pages of \(size)"
    case .module(.entry(let function, let gpa, let size)):
      return "TDX: \(function.rawValue) the entry of \(size) at GPA \(gpa)"
    case .module(.finalize): return "TDX: finalize the domain"
    case .module(.track): return "TDX: track"
    case .module(.enter(let vcpu)): return "TDX: vCPU \(vcpu) stays inside"
    case .module(.leave(let vcpu)): return "TDX: vCPU \(vcpu) leaves"
    case .module(.busy(let calls)): return "TDX: the next \(calls) calls find a lock held"
    }
  }

  /// Pages that the step may touch. **Units** pages of 4 KiB.
  public var pageCount: Int {
    switch self {
    case .accept(_, let count, _, _), .module(.add(_, let count)),
      .module(.augment(_, let count, _)):
      Int(clamping: count >> 12)
    case .convert, .module, .call: 1
    }
  }
}

extension PrivateMemoryAction {
  init(_ name: ActionName, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping(name.rawValue)
    switch name {
    case .convert:
      let (gpa, size) = try map.pages(body, of: .size4KiB)
      self = .convert(
        gpa, byteCount: size,
        toPrivate: try map.need("to").choice(["private": true, "shared": false]),
        vcpu: try map.outerVCPU(vcpus))
    case .accept:
      let pageSize = try map.privatePageSize()
      let (gpa, size) = try map.pages(body, of: pageSize)
      self = .accept(gpa, byteCount: size, pageSize: pageSize, vcpu: try map.outerVCPU(vcpus))
    case .vmcall:
      let vcpu = try map.outerVCPU(vcpus)
      let (function, operands) = try map.needOne(of: TDVMCall.functions, "a function")
      self = .call(try TDVMCall(function, operands), vcpu: vcpu)
    default:
      let (verb, value) = try map.needOne(of: ModuleCall.verbs, "tdx")
      self = .module(try ModuleCall(verb, value, vcpus: vcpus))
    }
    try map.finish()
  }
}

extension PrivateMemoryAction.ModuleCall {
  /// The words of the calls.
  static let verbs =
    ["add", "reclaim", "augment"] + PrivateMemoryAction.EntryFunction.allCases.map(\.rawValue)
    + ["finalize", "track", "enter", "leave", "busy"]

  init(_ verb: String, _ body: YAMLValue, vcpus: VCPURange) throws(ScenarioError) {
    var map = try body.mapping("tdx-\(verb)")
    switch verb {
    case "add", "reclaim":
      let (gpa, size) = try map.pages(body, of: .size4KiB)
      self = verb == "add" ? .add(gpa, byteCount: size) : .reclaim(gpa, byteCount: size)
    case "augment":
      let pageSize = try map.privatePageSize()
      let (gpa, size) = try map.pages(body, of: pageSize)
      self = .augment(gpa, byteCount: size, pageSize)
    case "finalize": self = .finalize
    case "track": self = .track
    case "enter": self = .enter(vcpu: try map.outerVCPU(vcpus))
    case "leave": self = .leave(vcpu: try map.outerVCPU(vcpus))
    case "busy": self = .busy(calls: try map.need("calls").number(0...1 << 20).asInt)
    default:
      guard let function = PrivateMemoryAction.EntryFunction(rawValue: verb) else {
        throw body.error("no call '\(verb)'")
      }
      let isResizing = function == .promote || function == .demote
      let pageSize = isResizing ? PageSize.size2MiB : try map.privatePageSize()
      self = .entry(function, try map.page("gpa"), pageSize)
    }
    try map.finish()
  }
}

extension YAMLMapping {
  /// The keys `gpa` and `size` of whole pages.
  fileprivate mutating func pages(
    _ body: YAMLValue, of pageSize: PageSize
  ) throws(ScenarioError) -> (gpa: GPA, byteCount: UInt64) {
    let (gpa, size) = (try page("gpa"), try need("size").number(4096...1 << 46))
    guard (gpa.rawValue | size) & pageSize.offsetMask == 0 else {
      throw body.error("gpa and size are multiples of \(pageSize)")
    }
    return (gpa, size)
  }

  /// The key `page-size` of a private page.
  fileprivate mutating func privatePageSize() throws(ScenarioError) -> PageSize {
    try take("page-size")?.choice(["4 KiB": PageSize.size4KiB, "2 MiB": .size2MiB]) ?? .size4KiB
  }
}
