// Contenders measured in turns, so that whatever else the machine does befalls all of them alike.
import Foundation

/// A point of a contender's grid, over all rounds.
struct Point: Sendable {
    let parameters: String
    let recall: Double
    /// Queries a second: the median of the faster way of asking.
    let rate: Double
    /// `single` or `batch`.
    let call: String
    let rounds: [Double]

    /// Nil where no round succeeded.
    init?(_ parameters: String, _ readings: [Reading]) {
        let (singles, batches) = (readings.compactMap(\.single), readings.compactMap(\.batch))
        guard let recall = readings.map(\.recall).min(), let rate = [singles.median, batches.median].compactMap({ $0 }).max() else { return nil }
        self.parameters = parameters
        self.recall = recall
        self.rate = rate
        call = rate == singles.median ? "single" : "batch"
        rounds = call == "single" ? singles : batches
    }
}

/// One contender under one scenario.
struct Series: Sendable {
    let contender: String
    let points: [Point]
    /// Why it has no points, where it has none.
    let abstention: String?

    /// Points that no other beats in both, from the least recall to the greatest.
    var frontier: [Point] {
        var kept: [Point] = []
        for point in points.sorted(by: { ($0.recall, $0.rate) > ($1.recall, $1.rate) }) where point.rate > kept.last?.rate ?? 0 { kept.append(point) }
        return kept.reversed()
    }

    /// Queries a second at a recall, between the two points around it (their logarithms linearly); nil beyond the last.
    func rate(at recall: Double) -> Double? {
        let frontier = frontier
        guard let above = frontier.firstIndex(where: { $0.recall >= recall }) else { return nil }
        let high = frontier[above]
        guard above > 0, high.recall > recall else { return high.rate }
        let low = frontier[above - 1]
        let share = (recall - low.recall) / (high.recall - low.recall)
        return low.rate * pow(high.rate / low.rate, share)
    }

    var bestRecall: Double? { points.map(\.recall).max() }
}

struct Race {
    let contenders: [any Contender]
    let rounds: Int
    /// Told of what goes on.
    let progress: (String) -> Void

    /// All contenders under one scenario: in each round a point of each, then the next point of each.
    func run(_ scenario: Scenario) async throws -> [Series] {
        var abstentions: [Int: String] = [:]
        var readings = contenders.map { [[Reading]](repeating: [], count: $0.grid.count) }
        for (number, contender) in contenders.enumerated() {
            do { try await contender.enter(scenario) } catch let abstention as Abstention { abstentions[number] = abstention.reason }
        }
        for round in 0..<rounds {
            progress("\(scenario.name): round \(round + 1) of \(rounds)")
            for point in 0..<(contenders.map(\.grid.count).max() ?? 0) {
                for (number, contender) in contenders.enumerated() where abstentions[number] == nil && point < contender.grid.count {
                    do { readings[number][point].append(try await contender.measure(point: point)) } catch let abstention as Abstention {
                        // Parameters that a library refuses are no point of its curve.
                        progress("\(contender.name) \(contender.grid[point]): \(abstention.reason)")
                    }
                }
            }
        }
        return contenders.enumerated().map { number, contender in
            let points = zip(contender.grid, readings[number]).compactMap { Point($0, $1) }
            return Series(contender: contender.name, points: points, abstention: abstentions[number])
        }
    }
}

extension [Double] {
    /// Nil where there is nothing.
    var median: Double? {
        guard !isEmpty else { return nil }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
