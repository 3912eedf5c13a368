import Forecast
import GuestImage
import MMU
import Paging
import Testing

@Suite("Cost forecast")
struct ForecastTests {
  @Test(
    "T3 a forecast is what the machine counts, to the last fault and page",
    arguments: ForecastPolicy.all)
  func exact(policy: ForecastPolicy) throws {
    var (full, splits) = (0, 0)
    for (seed, backing) in [(1, PageSize.size2MiB), (2, .size4KiB), (3, .size2MiB)] {
      // The second is one round of one vCPU, whose log fills up.
      let isLong = seed == 2
      let roundLength = isLong ? 3500 : 700 * seed
      let trace = try LoggedGuest.trace(
        seed: UInt64(seed), count: 3500, vcpus: isLong ? 1 : LoggedGuest.vcpus)
      let guest = try LoggedGuest(backing: backing, ring: policy.usesRings ? 192 : nil)
      let forecast = Forecast(
        trace, in: try guest.image(),
        ForecastAssumptions(
          roundLength: roundLength, backing: backing, ringSize: 192,
          frameCount: LoggedGuest.frames), policies: [policy])
      let predicted = try #require(forecast.costs.first).counts
      let counted = try guest.run(trace, policy, roundLength: roundLength)
      #expect(predicted == counted, "seed \(seed), \(backing)")
      #expect(forecast.accesses == trace.count && forecast.outside == 0 && forecast.refused > 0)
      #expect(predicted.pagesSent > 100)
      full += predicted.ringFullExits + predicted.modificationLogExits
      splits += predicted.splits
    }
    #expect(splits > 0)
    // Nothing would be shown of full rings and logs if none were full.
    if policy.usesRings || policy.method == .pageModificationLog { #expect(full > 0) }
  }

  @Test("accesses to memory that the slot or the image lacks are left out and counted")
  func outside() throws {
    let guest = try LoggedGuest(backing: .size4KiB, ring: nil)
    let trace = try LoggedGuest.trace(seed: 9, count: 200)
    let forecast = Forecast(
      trace, in: try guest.image(),
      ForecastAssumptions(
        roundLength: 50, backing: .size4KiB, ringSize: 128,
        frameCount: LoggedGuest.data >> 12 + 40))
    #expect(forecast.outside > 0 && forecast.accesses + forecast.outside == 200)
    #expect(forecast.text.contains { $0.contains("\(forecast.outside) left out") })
    #expect(forecast.json.count == 1 + ForecastPolicy.all.count)
  }

  @Test("an empty trace costs what the beginning of a log costs")
  func empty() throws {
    let guest = try LoggedGuest(backing: .size4KiB, ring: nil)
    let forecast = Forecast(
      [], in: try guest.image(),
      ForecastAssumptions(
        roundLength: 1, backing: .size2MiB, ringSize: 128, frameCount: LoggedGuest.frames))
    for (_, counts) in forecast.costs {
      #expect(counts.faults == 0 && counts.sent == [] && counts.flushes == 2)
    }
  }
}
