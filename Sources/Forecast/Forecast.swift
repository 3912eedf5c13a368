public import GuestImage
import Paging
public import Scenario

/// What logging a guest's written pages would cost, from an image of it and a trace of its accesses.
///
/// Under its assumptions every count is exact.
public struct Forecast: Sendable {
  /// What is taken for granted.
  public let assumptions: ForecastAssumptions
  /// Accesses of the trace that count.
  public let accesses: Int
  /// Accesses left out, because they touch memory that is not in the slot or not in the image.
  public let outside: Int
  /// Accesses that the guest's tables refuse; their walks count.
  public let refused: Int
  /// Pages that are touched at all, tables included. **Units** pages of 4 KiB.
  public let workingSet: Int
  /// What each policy costs.
  public let costs: [(policy: ForecastPolicy, counts: ForecastCounts)]

  /// A forecast.
  ///
  /// - Parameters:
  ///   - trace: the accesses, in their order.
  ///   - space: the image, and the registers of all vCPUs.
  public init(
    _ trace: [TraceRecord], in space: ImageAddressSpace, _ assumptions: ForecastAssumptions,
    policies: [ForecastPolicy] = ForecastPolicy.all
  ) {
    self.assumptions = assumptions
    let footprints = trace.compactMap { Footprint($0, in: space, assumptions) }
    accesses = footprints.count
    outside = trace.count - footprints.count
    refused = footprints.count { !$0.isGranted }
    workingSet = Set(footprints.lazy.flatMap(\.touches).map(\.frame)).count
    costs = policies.map { policy in
      var model = ForecastModel(policy, assumptions)
      for footprint in footprints { model.warm(footprint) }
      model.start()
      for (index, footprint) in footprints.enumerated() {
        model.access(footprint)
        if (index + 1) % assumptions.roundLength == 0 || index + 1 == footprints.count {
          model.endRound()
        }
      }
      return (policy, model.counts)
    }
  }
}
