package import GuestImage
import Paging
package import Scenario
import X86

/// What one access of a trace touches in guest memory, in the order of the processor's walk.
package struct Footprint: Sendable {
  /// One page touched.
  package struct Touch: Sendable {
    /// The frame.
    package var frame: UInt64
    /// Whether the second level sees a write: data that is written, and every table of the guest's.
    package var isWrite: Bool
  }

  /// Who.
  package var vcpu: Int
  /// The pages, tables first.
  package var touches: [Touch] = []
  /// Whether the guest's tables let the access through.
  package var isGranted = true

  /// The footprint of an access.
  ///
  /// - Returns: `nil` where part of what it touches is not in the slot or not in the image.
  package init?(
    _ record: TraceRecord, in space: ImageAddressSpace, _ assumptions: ForecastAssumptions
  ) {
    vcpu = record.access.vcpu
    let gva = record.access.va
    var pieces = [gva]
    let room = 4096 - gva.offset(in: .size4KiB)
    if UInt64(record.access.size) > room { pieces.append(gva.wrappingAdd(room)) }
    for piece in pieces where isGranted {
      var strategy = Recording(Judge())
      let result = space.translate(piece, for: record.access.access, &strategy)
      for step in strategy.steps {
        touches.append(Touch(frame: GPA(step.entryAddress).frame.rawValue, isWrite: true))
      }
      switch result {
      case .success(let found):
        touches.append(
          Touch(frame: found.address.frame.rawValue, isWrite: record.access.kind == .write))
      case .failure(.fault): isGranted = false
      case .failure(.unreadable), .failure(.contended): return nil
      }
    }
    if touches.contains(where: { $0.frame >= assumptions.frameCount }) { return nil }
  }
}
