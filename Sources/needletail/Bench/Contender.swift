// Who takes part in a comparison, and what is asked of them.

/// What all contenders are asked: the data set, and how.
struct BenchTask: Sendable {
    var data: BenchData
    var k: Int
    var threads: Int
    /// Processors that searches are kept on; all where empty.
    var cpus: [Int]
}

/// The same queries under one filter, or none.
struct Scenario: Sendable {
    var filter: BenchFilter?
    var neighbours: Neighbours
    var recall: Recall

    init(_ task: BenchTask, filter: BenchFilter?) {
        self.filter = filter
        // What the file says holds for all rows alone.
        neighbours = (filter == nil ? task.data.truth : nil) ?? Neighbours(exactlyOf: task.data, filter: filter)
        recall = Recall(neighbours, of: task.data, k: task.k)
    }

    var name: String { filter?.name ?? "all rows" }
}

/// One round of one point: queries a second by how they were asked.
struct Reading: Sendable {
    var recall: Double
    /// One query a call; nil where it was not asked so.
    var single: Double?
    /// All queries in as few calls as may be.
    var batch: Double?
}

/// Something that finds neighbours, with parameters to try.
protocol Contender: AnyObject {
    var name: String { get }
    var version: String { get }
    /// What each point of the grid is asked with.
    var grid: [String] { get }
    /// Until the first search; nil where an index was there already.
    var buildSeconds: Double? { get }
    /// Memory that the index takes; nil where it cannot be told.
    var memoryBytes: Int? { get }

    /// Takes up a scenario. Throws `Abstention` where it cannot take part.
    func enter(_ scenario: Scenario) async throws
    func measure(point: Int) async throws -> Reading
    func leave() async throws
}

/// A contender cannot do what is asked, and says why.
struct Abstention: Error { var reason: String }
