// The column files that a piece of background work writes.
import Storage

/// Begins files, at the work's pace, and keeps every sweep from removing them until the work has ended. One owner, one thread.
final class OutputFiles {
    private let store: Store
    private let pace: Pace
    private var begun: [UInt64] = []

    init(_ store: Store, _ pace: Pace) {
        self.store = store
        self.pace = pace
    }

    func begin(_ kind: ColumnFileKind) throws(EngineError) -> SegmentOutput {
        let number = store.beginFile()
        begun.append(number)
        return try SegmentOutput(disk: store.disk, kind: kind, number: number, databaseID: store.databaseID, pace: pace)
    }

    /// What is to stay has been named, and the next sweep takes the rest.
    func end() {
        for number in begun { store.endFile(number) }
        begun = []
    }
}
