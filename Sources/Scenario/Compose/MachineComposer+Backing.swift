import GuestImage
import MMU
import Paging
import SystemPackage

/// What the host puts behind the slots.
extension MachineComposer {
  /// The most mappings that one image gets; the bytes of one with more segments are copied. A process
  /// has 65,530 by default.
  private static var largestMappingCount: Int { 16_384 }

  /// Takes the huge pages that a region asks for.
  func backWithHugePages(
    _ first: HPA, _ region: MachineSpec.Region, in host: HostMemory
  ) throws(ScenarioError) {
    let backing: HostMemoryBacking
    switch region.hostPages {
    case nil, .anonymous, .file: return
    case .hugetlb: backing = .hugePages(region.backing)
    case .transparent: backing = .transparentHugePages
    }
    do {
      try host.back(first..<first.wrappingAdd(region.byteCount), by: backing)
    } catch {
      throw self.error("\(error)", line: region.line)
    }
  }

  /// Puts an image's bytes behind a slot: the whole pages that lie in its file as they do in memory are
  /// mapped where the region says so, the rest is copied. Holes stay zeros.
  func put(
    _ image: GuestImage, behind slot: Memslot, _ region: MachineSpec.Region, in host: HostMemory
  ) throws(ScenarioError) {
    guard let first = slot.host else { return }
    var mapped: UInt64 = 0
    do throws(HostMemoryBackingError) {
      var file: PageFile?
      if region.mapsFile, image.segments.count <= Self.largestMappingCount {
        file =
          try image.withFile { (file) throws(HostMemoryBackingError) in
            try PageFile(duplicating: file.rawValue)
          }
      }
      for segment in image.segments {
        let start = max(segment.gpa.rawValue, slot.base.baseAddress.rawValue)
        // A segment may end at 2^64, which no slot reaches.
        let (last, passes) = segment.gpa.rawValue.addingReportingOverflow(segment.fileSize)
        let end = min(passes ? .max : last, slot.end.baseAddress.rawValue)
        guard start < end else { continue }
        let place = { (gpa: UInt64) in first.wrappingAdd(gpa &- slot.base.baseAddress.rawValue) }
        let (low, high) = ((start + 4095) & ~4095, end & ~4095)
        let offset = segment.fileOffset &+ (low &- segment.gpa.rawValue)
        guard let file, offset & 0xFFF == 0, low < high else {
          copy(start..<end, of: segment, in: image, to: place(start), host)
          continue
        }
        try host.back(place(low)..<place(high), by: .file(file, offset: offset))
        mapped += high - low
        copy(start..<low, of: segment, in: image, to: place(start), host)
        copy(high..<end, of: segment, in: image, to: place(high), host)
      }
    } catch {
      throw self.error("\(error)", line: region.line)
    }
    if region.hostPages == .file, mapped == 0 {
      throw error(
        "no page of the image lies in its file as in memory, so that the file cannot back the slot"
          + " (backing: anonymous copies it)", line: region.line)
    }
  }

  private func copy(
    _ range: Range<UInt64>, of segment: ImageSegment, in image: GuestImage, to place: HPA,
    _ host: HostMemory
  ) {
    guard !range.isEmpty else { return }
    image.withFileBytes(of: segment) { bytes in
      let low = Int(range.lowerBound &- segment.gpa.rawValue)
      let high = low + range.count
      guard high <= bytes.byteCount else { return }
      _ = host.view.write(bytes.extracting(low..<high), at: place)
    }
  }
}
