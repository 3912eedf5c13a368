import Notation
import Paging
import Scenario
import SharedData
import SystemPackage
import Testing

@Suite("Recorded guests behind EPT")
struct RecordedGuestTests {
  @Test(
    "W17 every sample of a real guest ends where QEMU says, through both levels",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"),
    arguments: SharedData.guests, ["4 KiB", "2 MiB"])
  func samples(name: String, backing: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try Manifest.read(name, in: folder)
    var text = """
      scenario: 1
      machine:
        guest: from-image
        mmu: ept
        memory: [{gpa: 0x0, size: 160 MiB, image: \(name).core, hugepages: \(backing)}]
      steps:

      """
    for sample in manifest.samples {
      let isUser = sample.perms?.hasPrefix("u") == true
      text += "  - read: {va: \(sample.va.value), size: 1, user: \(isUser)}\n"
    }
    text += "  - audit: {}\n"
    let (results, summary) = try Scenarios.run(text, folder: FilePath(folder))
    try #require(results.count == manifest.samples.count + 1)
    for (result, sample) in zip(results, manifest.samples) {
      if let pa = sample.pa {
        #expect(result.isDone, "\(GVA(sample.va.value)): \(result.lines)")
        #expect(result.gpa == GPA(pa.value))
      } else {
        #expect(result.fault?.vector == (sample.reason.text == "not present" ? 14 : 13))
        #expect(result.fault?.errorCode == 0)
      }
    }
    #expect(summary.failed == 0)
    #expect(summary.exits.allSatisfy { $0.cause != .error })
  }
}
