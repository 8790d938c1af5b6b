// Makes one segment of parts: of a head that is full, or of segments that are to become one.
import Index
import Memory
import Storage

/// Writes the chunks of consecutive parts that are in force, column by column. A chunk that is not will never be again, so
/// nothing is lost by leaving it out, whatever happens while the file is written.
struct SegmentWriter {
    private let state: CollectionState
    private let parts: [ChunkPart]
    /// By part: the rows to keep, rising.
    private let kept: [[Int]]

    /// `parts` are `state`'s own; `state` says what is in force. O(rows).
    init(parts: ArraySlice<ChunkPart>, of state: CollectionState) throws(EngineError) {
        self.state = state
        self.parts = Array(parts)
        kept = try parts.map { part throws(EngineError) in
            let rows = try state.liveRows(of: part)
            try part.check(liveRows: rows.count)
            return rows
        }
    }

    var rowCount: Int { kept.reduce(0) { $0 + $1.count } }
    private var chunks: Range<Int> { parts[0].chunks.lowerBound..<parts[parts.count - 1].chunks.upperBound }

    /// Writes and syncs the file; the caller makes its name durable.
    func write(to output: SegmentOutput) throws(EngineError) -> ManifestSegment {
        precondition(rowCount > 0, "a segment has rows")
        try writeNumbers(to: output)
        try writeTexts(to: output)
        let absent = try state.schema.spaces.indices.map { space throws(EngineError) in try writeVectors(of: space, to: output) }
        try writeCounts(absent, to: output)
        return ManifestSegment(
            file: try output.finish(), firstChunk: UInt64(chunks.lowerBound), endChunk: UInt64(chunks.upperBound), rowCount: UInt32(rowCount))
    }

    private func writeCounts(_ absent: [Int], to output: SegmentOutput) throws(EngineError) {
        try output.column(SegmentColumn.counts, elementBytes: 8) { (output) throws(EngineError) in
            for count in [chunks.lowerBound, chunks.upperBound, rowCount] + absent { try output.append(UInt64(count)) }
        }
    }

    private func writeNumbers(to output: SegmentOutput) throws(EngineError) {
        try output.column(SegmentColumn.documents, elementBytes: 4) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in try output.append(part.document(row)) }
        }
        try output.column(SegmentColumn.versions, elementBytes: 4) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in try output.append(part.version(row)) }
        }
        if parts.contains(where: \.hasAccess) {
            try output.column(SegmentColumn.access, elementBytes: 4) { (output) throws(EngineError) in
                try forEachRow { (part, row) throws(EngineError) in try output.append(part.ownAccess(row)) }
            }
        }
        if rowCount < chunks.count {
            try output.column(SegmentColumn.chunks, elementBytes: 4) { (output) throws(EngineError) in
                try forEachRow { (part, row) throws(EngineError) in try output.append(UInt32(part.chunk(row) - chunks.lowerBound)) }
            }
        }
    }

    private func writeTexts(to output: SegmentOutput) throws(EngineError) {
        try output.column(SegmentColumn.parts, elementBytes: 1) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in try output.append(part.textParts(row)) }
        }
        var reader = BlockReader()
        try output.packedColumn(SegmentColumn.texts) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in try output.appendItem(part.text(row, with: &reader)) }
        }
        try output.packedColumn(SegmentColumn.headings) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in try output.appendItem(part.heading(row, with: &reader)) }
        }
    }

    /// Returns how many rows have no vector.
    private func writeVectors(of space: Int, to output: SegmentOutput) throws(EngineError) -> Int {
        try output.column(SegmentColumn.vectors(space), elementBytes: 4) { (output) throws(EngineError) in
            // Sound: floats are their bytes, on a little-endian machine.
            try forEachRow { (part, row) throws(EngineError) in try output.append(unsafe part.paddedVector(row, space: space).bytes) }
        }
        var absent = 0
        try output.column(SegmentColumn.factors(space), elementBytes: 4) { (output) throws(EngineError) in
            try forEachRow { (part, row) throws(EngineError) in
                let factor = try part.factor(row, space: space)
                if factor.isNaN { absent += 1 }
                try output.append(factor.bitPattern)
            }
        }
        return absent
    }

    private func forEachRow(_ body: (ChunkPart, Int) throws(EngineError) -> Void) throws(EngineError) {
        for (part, rows) in zip(parts, kept) {
            for row in rows { try body(part, row) }
        }
    }
}

extension CollectionState {
    func isLive(_ document: UInt32, _ version: UInt32) -> Bool { documents.versions[Int(document)] == version }

    /// The rows of a part that are in force, rising.
    func liveRows(of part: ChunkPart) throws(EngineError) -> [Int] {
        var rows: [Int] = []
        for row in 0..<part.rowCount where isLive(try part.document(row), try part.version(row)) { rows.append(row) }
        return rows
    }
}

/// Rows one by one, wherever they lie: how segments are made, not how they are searched.
extension ChunkPart {
    /// The chunks that documents have here are to be found here, or leaving the others out would lose them.
    fileprivate func check(liveRows: Int) throws(EngineError) {
        guard liveRows != liveCount else { return }
        guard let segment else { preconditionFailure("rows in memory are their documents'") }
        throw segment.quarantine("\(liveCount) chunks in force, found \(liveRows)")
    }

    func document(_ row: Int) throws(EngineError) -> UInt32 {
        switch rows {
        case .memory(let rows): rows.documents[row]
        case .segment(let segment): try segment.documents(row..<row + 1)[0]
        }
    }

    func version(_ row: Int) throws(EngineError) -> UInt32 {
        switch rows {
        case .memory(let rows): rows.versions[row]
        case .segment(let segment): try segment.versions(row..<row + 1)[0]
        }
    }

    func chunk(_ row: Int) throws(EngineError) -> Int {
        switch rows {
        case .memory(let rows): rows.firstChunk + row
        case .segment(let segment): try segment.chunk(ofRow: row)
        }
    }

    /// The chunks of rows in any order.
    func chunks(_ wanted: [Int]) throws(EngineError) -> [Int] {
        switch rows {
        case .memory(let rows): return wanted.map { rows.firstChunk + $0 }
        case .segment(let segment):
            var chunks: [Int] = []
            chunks.reserveCapacity(wanted.count)
            for row in wanted { chunks.append(try segment.chunk(ofRow: row)) }
            return chunks
        }
    }

    /// Which texts the chunks of rows in any order have (`ChunkParts`).
    func textParts(_ wanted: [Int]) throws(EngineError) -> [UInt8] {
        switch rows {
        case .memory(let rows): wanted.map { rows.texts[$0].parts }
        case .segment(let segment): try segment.parts(wanted)
        }
    }

    /// The row of a live chunk.
    func row(ofChunk chunk: Int) throws(EngineError) -> Int {
        switch rows {
        case .memory(let rows): chunk - rows.firstChunk
        case .segment(let segment): try segment.row(ofChunk: chunk)
        }
    }

    func textParts(_ row: Int) throws(EngineError) -> UInt8 {
        switch rows {
        case .memory(let rows): rows.texts[row].parts
        case .segment(let segment): try segment.parts(row)
        }
    }

    /// The text, empty where there is none. Borrowed from the part or from the reader, until either is next used.
    @_lifetime(&reader)
    func text(_ row: Int, with reader: inout BlockReader) throws(EngineError) -> RawSpan {
        switch rows {
        // Sound: whoever holds the part holds the bytes; a reader is used for one part at a time.
        case .memory(let rows): return unsafe _overrideLifetime(rows.arena.bytes(rows.texts[row].text), mutating: &reader)
        case .segment(let segment): return try segment.text(row, with: &reader)
        }
    }

    @_lifetime(&reader)
    func heading(_ row: Int, with reader: inout BlockReader) throws(EngineError) -> RawSpan {
        switch rows {
        // Sound: as above.
        case .memory(let rows): return unsafe _overrideLifetime(rows.arena.bytes(rows.texts[row].heading), mutating: &reader)
        case .segment(let segment): return try segment.heading(row, with: &reader)
        }
    }

    func factor(_ row: Int, space: Int) throws(EngineError) -> Float {
        switch rows {
        case .memory(let rows): rows.spaces[space].factors[row]
        case .segment(let segment): try segment.factors(row..<row + 1, space: space)[0]
        }
    }

    /// `SpaceRows.rowWidth` floats, zeros where there is no vector.
    @_lifetime(borrow self)
    func paddedVector(_ row: Int, space: Int) throws(EngineError) -> Span<Float> {
        switch rows {
        // Sound, both: self holds the memory.
        case .memory(let rows):
            let table = rows.spaces[space].rows
            let vector = table.row(row)
            return unsafe _overrideLifetime(vector, borrowing: self)
        case .segment(let segment): return unsafe _overrideLifetime(try segment.paddedVector(row, space: space), borrowing: self)
        }
    }
}
