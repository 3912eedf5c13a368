import ParallelProperty
import Testing

/// One run of each shape; `make property` runs more, optimised.
@Suite("Stress", .serialized)
struct StressTests {
  @Test(
    "T1 T3 T4 T5 T6 T8 E16 an order explains what vCPUs see while tables change under them",
    .timeLimit(.minutes(15)), arguments: StressShape.all)
  func stress(shape: StressShape) throws {
    let report = try Stress(shape, seed: 1).run()
    #expect(report.mistakes == [])
    #expect(report.changes.values.reduce(0, +) > 0, "nothing was disturbed")
    print("stress \(shape), seed 1: \(report.words)")
  }
}
