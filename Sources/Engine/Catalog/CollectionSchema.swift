// What a collection declares: its vector spaces and its fields.
package import Index
import Memory

/// The shape of a collection, fixed when it is created.
package struct CollectionSchema: Equatable, Sendable {
    package var name: String
    package var spaces: [SpaceSchema]
    package var fields: [FieldSchema]
    package var access: AccessMode
    /// The access object of nodes that neither have one nor lie under one that has.
    package var defaultAccess: String?

    package init(name: String, spaces: [SpaceSchema], fields: [FieldSchema], access: AccessMode = .open, defaultAccess: String? = nil) {
        self.name = name
        self.spaces = spaces
        self.fields = fields
        self.access = access
        self.defaultAccess = defaultAccess
    }

    package func spaceIndex(_ name: String) -> Int? { spaces.firstIndex { $0.name.isExactly(name) } }
    func fieldIndex(_ name: String) -> Int? { fields.firstIndex { $0.name.isExactly(name) } }

    /// The space that a request without one means: the one called `default`, or the only one.
    package var defaultSpaceIndex: Int? { spaceIndex("default") ?? (spaces.count == 1 ? 0 : nil) }
}

/// Whether a collection's documents have rights.
package enum AccessMode: String, CaseIterable, Sendable {
    /// Nobody sees what no access object lets them see.
    case enforced
    /// Whoever may ask may see.
    case open
}

/// A named vector space.
package struct SpaceSchema: Equatable, Sendable {
    package var name: String
    package var dimension: Int
    package var metric: Metric
    package var index: IndexKind
    package var quantization: QuantizationKind

    package init(
        name: String = "default", dimension: Int, metric: Metric, index: IndexKind = .auto, quantization: QuantizationKind = .auto
    ) {
        self.name = name
        self.dimension = dimension
        self.metric = metric
        self.index = index
        self.quantization = quantization
    }
}

/// A declared document attribute.
package struct FieldSchema: Equatable, Sendable {
    package var name: String
    package var type: FieldType

    package init(name: String, type: FieldType) {
        self.name = name
        self.type = type
    }
}

package enum FieldType: String, CaseIterable, Sendable {
    case keyword
    case keywords = "keyword[]"
    case int, float, bool, time
}

extension CollectionSchema {
    /// Names that every document has without declaring them.
    static let builtInNames: Set<String> = ["id", "kind", "parent", "title", "url", "mime", "time", "version", "text", "heading", "score"]

    func validate() throws(EngineError) {
        try Self.validate(name: name, field: "name")
        guard !spaces.isEmpty || !fields.isEmpty else {
            throw EngineError(.invalidValue, "a collection needs a vector space: give dim and metric, or spaces", field: "dim")
        }
        guard spaces.count <= Limits.spacesMax else { throw EngineError(.limitExceeded, "at most \(Limits.spacesMax) spaces", field: "spaces") }
        guard fields.count <= Limits.fieldsMax else { throw EngineError(.limitExceeded, "at most \(Limits.fieldsMax) fields", field: "fields") }
        guard Set(spaces.map(\.name)).count == spaces.count else { throw EngineError(.invalidValue, "two spaces have one name", field: "spaces") }
        guard Set(fields.map(\.name)).count == fields.count else { throw EngineError(.invalidValue, "two fields have one name", field: "fields") }
        for space in spaces {
            try Self.validate(name: space.name, field: "spaces")
            guard (1...Limits.dimensionMax).contains(space.dimension) else {
                throw EngineError(.invalidValue, "dim must be 1 to \(Limits.dimensionMax), got \(space.dimension)", field: "dim")
            }
            guard space.quantization != .none || space.index == .auto || space.index == .flat else {
                throw EngineError(
                    .invalidValue, "an index keeps vectors as codes: quantization \"none\" goes with index \"flat\" or \"auto\", got \"\(space.index.rawValue)\"",
                    field: "quantization")
            }
        }
        if let defaultAccess {
            try PrincipalKind.checkBytes(defaultAccess, field: "default_access")
            guard access == .enforced else { throw EngineError(.invalidValue, "an open collection asks no access object", field: "default_access") }
        }
        for field in fields {
            try Self.validate(name: field.name, field: "fields")
            guard !Self.builtInNames.contains(field.name) else {
                throw EngineError(.invalidValue, "every document has \"\(field.name)\" already: it cannot be declared", field: "fields.\(field.name)")
            }
        }
    }

    /// Names appear in file listings, metrics and command lines: letters, digits and a few marks only.
    static func validate(name: String, field: String) throws(EngineError) {
        let allowed = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard allowed, (1...Limits.nameBytesMax).contains(name.utf8.count) else {
            throw EngineError(.invalidValue, "a name is 1 to \(Limits.nameBytesMax) letters, digits, '_', '-' or '.'", field: field)
        }
    }

    func encode(to writer: inout ByteWriter) {
        writer.writeString(name)
        writer.write(UInt16(spaces.count) | (access == .enforced ? Self.enforcedFlag : 0))
        for space in spaces { space.encode(to: &writer) }
        writer.write(UInt16(fields.count))
        for field in fields {
            writer.writeString(field.name)
            writer.write(field.type.number)
        }
        if access == .enforced { writer.writeString(defaultAccess ?? "") }
    }

    /// Set in the number of spaces where rights are enforced and the default object's name ends the schema. Open collections have the
    /// bytes that they had before there were rights.
    private static let enforcedFlag: UInt16 = 0x8000

    init(decoding reader: inout ByteReader) throws(Corruption) {
        name = try reader.readString()
        spaces = []
        fields = []
        let spaceCount = try reader.read(UInt16.self)
        access = spaceCount & Self.enforcedFlag != 0 ? .enforced : .open
        defaultAccess = nil
        for _ in 0..<(spaceCount & ~Self.enforcedFlag) {
            spaces.append(try SpaceSchema(decoding: &reader))
        }
        for _ in 0..<(try reader.read(UInt16.self)) {
            let name = try reader.readString()
            fields.append(FieldSchema(name: name, type: try reader.readCase(FieldType.self, "a field type")))
        }
        guard access == .enforced else { return }
        let name = try reader.readString()
        defaultAccess = name.isEmpty ? nil : name
    }
}

extension SpaceSchema {
    /// Set in the metric's byte where index and quantization follow. They do where they are not both `auto`, so that a schema without
    /// them has the bytes that it had before there were any.
    private static let choiceFlag: UInt8 = 0x80

    fileprivate func encode(to writer: inout ByteWriter) {
        writer.writeString(name)
        writer.write(UInt32(dimension))
        let hasChoice = index != .auto || quantization != .auto
        writer.write(metric.rawValue | (hasChoice ? Self.choiceFlag : 0))
        if hasChoice {
            writer.write(index.number)
            writer.write(quantization.number)
        }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(Corruption) {
        let name = try reader.readString()
        let dimension = Int(try reader.read(UInt32.self))
        guard (1...Limits.dimensionMax).contains(dimension) else { throw Corruption(offset: reader.offset, expected: "a dimension") }
        let metricByte = try reader.read(UInt8.self)
        guard let metric = Metric(rawValue: metricByte & ~Self.choiceFlag) else { throw Corruption(offset: reader.offset, expected: "a metric") }
        self.init(name: name, dimension: dimension, metric: metric)
        guard metricByte & Self.choiceFlag != 0 else { return }
        index = try reader.readCase(IndexKind.self, "a kind of index")
        quantization = try reader.readCase(QuantizationKind.self, "a quantization")
    }
}

extension CaseIterable where Self: Equatable, AllCases == [Self] {
    /// How files tell the case: by its place, from 1 on.
    fileprivate var number: UInt8 { UInt8(Self.allCases.firstIndex(of: self)!) + 1 }  // allCases has every case.
}

extension ByteReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readCase<T: CaseIterable>(_ type: T.Type, _ expected: String) throws(Corruption) -> T where T.AllCases == [T] {
        let number = Int(try read(UInt8.self))
        guard (1...T.allCases.count).contains(number) else { throw Corruption(offset: offset, expected: expected) }
        return T.allCases[number - 1]
    }
}
