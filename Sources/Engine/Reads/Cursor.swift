// Where a page of a list ended, as bytes that only this database could have written.
import Crypto
import Memory

/// What a cursor is sealed with: whoever could make one up could ask by it whether ids exist that are not theirs to know.
package struct CursorSeal: Sendable {
    private let key: SymmetricKey
    private static let tagBytes = 16

    /// The database's number was drawn at random, and is told to nobody who may not read its files.
    init(databaseID: UInt64) {
        var writer = ByteWriter()
        writer.writeString("needletail cursor")
        writer.write(databaseID)
        key = SymmetricKey(data: writer.finish())
    }

    fileprivate func seal(_ bytes: [UInt8]) -> [UInt8] {
        bytes + HMAC<SHA256>.authenticationCode(for: bytes, using: key).prefix(Self.tagBytes)
    }

    /// The bytes that were sealed; nil for any others.
    fileprivate func open(_ sealed: [UInt8]) -> [UInt8]? {
        guard sealed.count > Self.tagBytes else { return nil }
        let bytes = Array(sealed.dropLast(Self.tagBytes))
        let tag = HMAC<SHA256>.authenticationCode(for: bytes, using: key).prefix(Self.tagBytes)
        // All of it is compared, wherever the first difference is.
        let difference = zip(tag, sealed.suffix(Self.tagBytes)).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) }
        return difference == 0 ? bytes : nil
    }
}

/// The place of a node in an order: told by its value there and its id, never by numbers of this process.
struct Cursor: Equatable {
    /// Of the list: collection, order, filter.
    var question: UInt64
    /// Of what the caller may see.
    var view: UInt64
    /// The value in the list's own encoding.
    var value: [UInt8]
    var id: [UInt8]

    func sealed(with seal: CursorSeal) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(question)
        writer.write(view)
        // Sound: bytes have no invalid pattern.
        writer.writeBlob(unsafe value.span.bytes)
        writer.writeBlob(unsafe id.span.bytes)
        return seal.seal(writer.finish())
    }

    /// Reads a cursor of the same question in the same view; there is no other way to go on with one.
    init(_ sealed: [UInt8], _ seal: CursorSeal, question: UInt64, view: UInt64) throws(EngineError) {
        guard let bytes = seal.open(sealed), let read = Self(decoding: bytes) else {
            throw EngineError(.invalidValue, "must be a cursor as an answer gave it", field: "cursor")
        }
        guard read.question == question else { throw .ended("belongs to another collection, order or filter") }
        guard read.view == view else { throw .ended("was given when other documents were visible") }
        self = read
    }

    init(question: UInt64, view: UInt64, value: [UInt8], id: [UInt8]) {
        (self.question, self.view, self.value, self.id) = (question, view, value, id)
    }

    private init?(decoding bytes: [UInt8]) {
        // Sound: bytes have no invalid pattern.
        var reader = ByteReader(unsafe bytes.span.bytes)
        do {
            question = try reader.read(UInt64.self)
            view = try reader.read(UInt64.self)
            value = Self.copy(try reader.readBlob())
            id = Self.copy(try reader.readBlob())
            try reader.finish()
        } catch { return nil }
    }

    static func copy(_ span: RawSpan) -> [UInt8] {
        // Sound: copied before the closure ends.
        unsafe span.withUnsafeBytes { unsafe Array($0) }
    }
}

extension EngineError {
    static func ended(_ why: String) -> EngineError {
        EngineError(.cursorEnded, "the cursor \(why): begin again without it", field: "cursor")
    }
}

extension Database {
    package var cursorSeal: CursorSeal { CursorSeal(databaseID: store.databaseID) }
}
