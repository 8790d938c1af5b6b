// Codes for the rows of a head that began before there was an index to show how, or whose codes do not fit them.
import Index

/// Codes of a head's first rows in one space.
struct HeadCodes: Sendable {
    var collection: UInt32
    /// Tells the head from those before and after it.
    var firstChunk: Int
    var space: Int
    var codes: CodedRows
}

extension CollectionState {
    /// Codes for the first space of the head that wants them; nil where none does. O(rows of the head).
    func missingHeadCodes() -> HeadCodes? {
        guard let (space, encoder) = missingHeadEncoder else { return nil }
        return HeadCodes(collection: number, firstChunk: head.firstChunk, space: space, codes: head.spaces[space].coded(by: encoder))
    }

    /// Whether a space's rows in the head could be searched by codes and are not.
    var wantsHeadCodes: Bool { missingHeadEncoder != nil }

    private var missingHeadEncoder: (space: Int, encoder: RowEncoder)? {
        guard head.count >= CodedSearch.rowsMin else { return nil }
        for space in head.spaces.indices {
            guard let encoder = encoder(space: space) else { continue }
            guard let codes = head.spaces[space].codes else { return (space, encoder) }
            if !codes.isFitting, codes.encoder !== encoder { return (space, encoder) }
        }
        return nil
    }
}
