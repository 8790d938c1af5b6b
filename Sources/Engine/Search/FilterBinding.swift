// From a filter's names and values to places and packed values; what a collection cannot be asked is refused here.
import Memory

/// Gathers what a program reads while its filter is bound.
struct FilterBinding {
    let schema: CollectionSchema
    var readFields: Set<Int> = []
    var texts: [FilterProgram.FieldTexts] = []
    var places: [NamedNodes] = []

    init(_ schema: CollectionSchema) { self.schema = schema }

    mutating func bind(_ filter: Filter) throws(EngineError) -> FilterProgram.Part {
        switch filter {
        case .all(let parts): return .all(try bind(parts))
        case .any(let parts): return .any(try bind(parts))
        case .not(let part): return .not(try bind(part))
        case .under(let ids): return .test(.under(nodes: try checkedPlace(of: ids, isSubtree: true, field: "filter.$under")))
        case .field(let name, let condition): return try bind(name, condition)
        }
    }

    private mutating func bind(_ parts: [Filter]) throws(EngineError) -> [FilterProgram.Part] {
        var bound: [FilterProgram.Part] = []
        for part in parts { bound.append(try bind(part)) }
        return bound
    }

    private mutating func bind(_ name: String, _ condition: Filter.Condition) throws(EngineError) -> FilterProgram.Part {
        let field = "filter.\(name)"
        switch name {
        case "time": return .test(try time(condition, field))
        case "id": return .test(try id(condition, field))
        case "title": return .test(try text(condition, field, has: .hasTitle, hasWords: true) { .title($0) })
        case "mime": return .test(try text(condition, field, has: .hasMime, hasWords: false) { .mime($0) })
        case "kind": return try kind(condition, field)
        case "parent": return .test(try parent(condition, field))
        default: break
        }
        guard let index = schema.fieldIndex(name) else { throw UpsertEncoder.undeclared(name, schema, field: field) }
        readFields.insert(index)
        if case .exists = condition { return .test(.hasField(index)) }
        switch schema.fields[index].type {
        case .keyword, .keywords: return try keywords(condition, index, field)
        case .int, .time, .float, .bool: return .test(.number(field: index, try numbers(condition, schema.fields[index].type, field)))
        }
    }

    // MARK: Declared fields

    private mutating func keywords(_ condition: Filter.Condition, _ index: Int, _ field: String) throws(EngineError) -> FilterProgram.Part {
        let isList = schema.fields[index].type == .keywords
        switch condition {
        case .containsAll(let values):
            guard isList else { throw .unfit("$all", "a keyword field, which has one value: use $eq", field) }
            // None at all: any list contains them, an empty one too.
            var parts: [FilterProgram.Part] = [.test(.hasField(index))]
            for text in try texts(values, field) { parts.append(.test(.anyKeyword(field: index, texts: add(.anyOf([text]), index)))) }
            return .all(parts)
        case .range(let lower, let upper):
            guard !isList else { throw .unfit("a range", "a keyword[] field: use $in", field) }
            let test = TextTest.range(lower: try bound(lower, field), upper: try bound(upper, field))
            return .test(.keyword(field: index, texts: add(test, index)))
        case .isIn(let values): return .test(keywordTest(.anyOf(try texts(values, field)), index, isList))
        case .prefix(let prefix): return .test(keywordTest(.prefix(Array(prefix.utf8)), index, isList))
        case .match(let words): return .test(keywordTest(try Self.words(words, field), index, isList))
        case .exists: return .test(.hasField(index))
        }
    }

    private mutating func keywordTest(_ test: TextTest, _ index: Int, _ isList: Bool) -> FilterProgram.Test {
        let place = add(test, index)
        return isList ? .anyKeyword(field: index, texts: place) : .keyword(field: index, texts: place)
    }

    private mutating func add(_ test: TextTest, _ field: Int?) -> Int {
        texts.append(FilterProgram.FieldTexts(field: field, matches: TextMatches(test)))
        return texts.count - 1
    }

    private func texts(_ values: [InputValue], _ field: String) throws(EngineError) -> [String] {
        var texts: [String] = []
        texts.reserveCapacity(values.count)
        for value in values {
            guard case .keyword(let text) = try UpsertEncoder.typed(value, as: .keyword, field: field) else { preconditionFailure("a keyword is a text") }
            texts.append(text)
        }
        return texts
    }

    private func bound(_ bound: Filter.Bound?, _ field: String) throws(EngineError) -> TextTest.Bound? {
        guard let bound else { return nil }
        return TextTest.Bound(bytes: Array(try texts([bound.value], field)[0].utf8), isInclusive: bound.isInclusive)
    }

    private func numbers(_ condition: Filter.Condition, _ type: FieldType, _ field: String) throws(EngineError) -> NumberTest {
        switch condition {
        case .isIn(let values):
            var wanted: Set<UInt64> = []
            wanted.reserveCapacity(values.count)
            for value in values { wanted.insert(try UpsertEncoder.typed(value, as: type, field: field).packedNumber) }
            if type == .float { return .anyFloat(wanted) }
            if wanted.count == 1, let only = wanted.first { return .only(only) }
            return .anyOf(wanted)
        case .range(let lower, let upper):
            switch type {
            case .int, .time: return .integers(try Interval(lower, upper) { value throws(EngineError) in try Self.integer(value, type, field) })
            case .float: return .floats(try Interval(lower, upper) { value throws(EngineError) in try Self.number(value, field) })
            case .bool, .keyword, .keywords:
                throw EngineError(.invalidValue, "a \(type.rawValue) field has no order: use $eq or $in", field: field)
            }
        case .containsAll: throw .unfit("$all", "a \(type.rawValue) field, which has one value: use $eq", field)
        case .prefix: throw .unfit("$prefix", "a \(type.rawValue) field: it is for texts", field)
        case .match: throw .unfit("$match", "a \(type.rawValue) field: it is for texts", field)
        case .exists: preconditionFailure("asked before")
        }
    }

    private static func integer(_ value: InputValue, _ type: FieldType, _ field: String) throws(EngineError) -> Int64 {
        guard case .int(let number) = try UpsertEncoder.typed(value, as: type, field: field) else { preconditionFailure("int and time fields hold integers") }
        return number
    }

    private static func number(_ value: InputValue, _ field: String) throws(EngineError) -> Double {
        guard case .float(let number) = try UpsertEncoder.typed(value, as: .float, field: field) else { preconditionFailure("float fields hold numbers") }
        return number
    }

    private static func words(_ text: String, _ field: String) throws(EngineError) -> TextTest {
        guard let query = WordQuery(text) else {
            throw EngineError(.invalidValue, "$match takes a text of 1 to \(Limits.matchWordsMax) different words", field: field)
        }
        return .words(query)
    }

    // MARK: What every document has

    private func time(_ condition: Filter.Condition, _ field: String) throws(EngineError) -> FilterProgram.Test {
        if case .exists = condition { return .hasTime }
        return .time(try numbers(condition, .time, field))
    }

    private mutating func id(_ condition: Filter.Condition, _ field: String) throws(EngineError) -> FilterProgram.Test {
        switch condition {
        case .exists: return .always(true)
        case .isIn(let values): return .id(texts: add(.anyOf(try Self.strings(values, field)), nil))
        case .prefix(let prefix): return .id(texts: add(.prefix(Array(prefix.utf8)), nil))
        case .range, .containsAll, .match: throw .unfit("this", "id, which takes $eq, $ne, $in, $nin and $prefix", field)
        }
    }

    private func text(
        _ condition: Filter.Condition, _ field: String, has: FilterProgram.Test, hasWords: Bool, _ make: (TextTest) -> FilterProgram.Test
    ) throws(EngineError) -> FilterProgram.Test {
        switch condition {
        case .exists: return has
        case .isIn(let values): return make(.anyOf(try Self.strings(values, field)))
        case .prefix(let prefix): return make(.prefix(Array(prefix.utf8)))
        case .match(let words) where hasWords: return make(try Self.words(words, field))
        case .range, .containsAll, .match:
            throw .unfit("this", "\(field.dropFirst("filter.".count)), which takes $eq, $ne, $in, $nin, $prefix, $exists\(hasWords ? " and $match" : "")", field)
        }
    }

    private func kind(_ condition: Filter.Condition, _ field: String) throws(EngineError) -> FilterProgram.Part {
        switch condition {
        case .exists: return .test(.always(true))
        case .isIn(let values):
            var parts: [FilterProgram.Part] = []
            for value in try Self.strings(values, field) {
                guard value == "document" || value == "folder" else {
                    throw EngineError(.invalidValue, "must be \"document\" or \"folder\"", field: field)
                }
                parts.append(.test(.folder(value == "folder")))
            }
            return .any(parts)
        case .range, .containsAll, .prefix, .match: throw .unfit("this", "kind, which takes $eq, $ne, $in and $nin", field)
        }
    }

    /// Whether there is any parent is not asked: it would tell of one that the asker may not see.
    private mutating func parent(_ condition: Filter.Condition, _ field: String) throws(EngineError) -> FilterProgram.Test {
        guard case .isIn(let values) = condition else { throw .unfit("this", "parent, which takes $eq, $ne, $in and $nin", field) }
        return .parent(nodes: try checkedPlace(of: try Self.strings(values, field), isSubtree: false, field: field))
    }

    private static func strings(_ values: [InputValue], _ field: String) throws(EngineError) -> [String] {
        var strings: [String] = []
        strings.reserveCapacity(values.count)
        for value in values {
            guard case .string(let text) = value else { throw EngineError(.invalidValue, "must be a string", field: field) }
            strings.append(text)
        }
        return strings
    }

    /// Nodes are looked up again in every state, which a million of them would take too long.
    private mutating func checkedPlace(of ids: [String], isSubtree: Bool, field: String) throws(EngineError) -> Int {
        let named = ids.count + places.reduce(0) { $0 + $1.ids.count }
        guard named <= Limits.filterNodesMax else {
            throw EngineError(.limitExceeded, "at most \(Limits.filterNodesMax) nodes in $under and parent of a filter", field: field)
        }
        return place(of: ids, isSubtree: isSubtree)
    }

    mutating func place(of ids: [String], isSubtree: Bool) -> Int {
        places.append(NamedNodes(ids, isSubtree: isSubtree))
        return places.count - 1
    }
}

extension EngineError {
    fileprivate static func unfit(_ what: String, _ field: String, _ path: String) -> EngineError {
        EngineError(.invalidValue, "\(what) cannot be asked of \(field)", field: path)
    }
}

extension FieldValue {
    fileprivate var packedNumber: UInt64 {
        switch self {
        case .int(let number): UInt64(bitPattern: number)
        case .float(let number): number == 0 ? 0 : number.bitPattern
        case .bool(let flag): flag ? 1 : 0
        case .keyword, .keywords: preconditionFailure("keywords are compared by number")
        }
    }
}
