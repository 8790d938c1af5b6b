// The protocol's JSON: what is asked, what is answered, and how a refusal is worded.

import FoundationEssentials

/// The request's body.
struct EmbeddingRequest: Encodable {
    let model: String
    let input: [String]
    let encodingFormat = "float"
    /// Left out where it is nil.
    let dimensions: Int?

    private enum CodingKeys: String, CodingKey {
        case model, input, dimensions
        case encodingFormat = "encoding_format"
    }

    func encoded() throws(EmbeddingError) -> Data {
        do {
            return try JSONEncoder().encode(self)
        } catch {
            throw .configuration("the texts cannot be written as JSON: \(error)")
        }
    }
}

/// The answer's body, as far as it is of use.
struct EmbeddingAnswer: Decodable {
    struct Item: Decodable {
        let index: Int
        /// Numbers of double width, because one too small for a Float is no reason to refuse an answer.
        let embedding: [Double]
    }

    let data: [Item]

    /// The vectors in the order of the texts, nil for one without a direction. Refuses an answer with a place missing,
    /// taken twice or out of range, with vectors of different lengths, or with a number that is none.
    static func vectors(in body: Data, count: Int) throws(EmbeddingError) -> (vectors: [[Float]?], dimension: Int) {
        let items = try decoded(body).data
        guard items.count == count else {
            throw .badAnswer("\(items.count) vectors for \(count) texts")
        }
        let dimension = items.first?.embedding.count ?? 0
        if dimension == 0 { throw .badAnswer("vectors without numbers") }
        var places = [[Float]??](repeating: nil, count: count)
        for item in items {
            guard places.indices.contains(item.index) else {
                throw .badAnswer("a vector for text \(item.index) of \(count), counted from 0")
            }
            guard places[item.index] == nil else { throw .badAnswer("two vectors for text \(item.index)") }
            guard item.embedding.count == dimension else {
                throw .badAnswer("vectors of \(dimension) and of \(item.embedding.count) numbers")
            }
            places[item.index] = .some(try vector(item.embedding))
        }
        // As many items as places, and none taken twice: every place is taken.
        return (places.map { $0 ?? nil }, dimension)
    }

    private static func decoded(_ body: Data) throws(EmbeddingError) -> EmbeddingAnswer {
        do {
            return try JSONDecoder().decode(EmbeddingAnswer.self, from: body)
        } catch DecodingError.keyNotFound(let key, _) {
            throw .badAnswer("it lacks \"\(key.stringValue)\"")
        } catch DecodingError.dataCorrupted {
            throw .badAnswer("it is not JSON, or cut off")
        } catch {
            throw .badAnswer("it is not a list of vectors with their numbers")
        }
    }

    private static func vector(_ numbers: [Double]) throws(EmbeddingError) -> [Float]? {
        let vector = numbers.map { Float($0) }
        guard vector.allSatisfy(\.isFinite) else { throw .badAnswer("a number too large for a vector") }
        return vector.contains { $0 != 0 } ? vector : nil
    }
}

/// What a service writes when it refuses, in the shapes that are in use.
struct ServiceRefusal {
    /// Room for an explanation, and not for a page of HTML.
    private static let scalarsMax = 300

    let message: String
    /// The service's own name for the reason, if it gives one.
    let code: String?

    init(body: Data, reason: String) {
        let parsed = Self.parsed(body)
        code = parsed?.code
        let text = parsed?.message ?? String(decoding: body.prefix(4 * Self.scalarsMax), as: UTF8.self)
        let line = Self.oneLine(text)
        message = line.isEmpty ? reason : line
    }

    /// A quota that is used up is told with the status for haste, but no haste was made and no pause will help.
    var isFinal: Bool { code == "insufficient_quota" }

    private static func oneLine(_ text: String) -> String {
        // Controls could forge lines of a log.
        let words = text.unicodeScalars.split { $0.properties.generalCategory == .control || $0 == " " }
        let line = words.map { String($0) }.joined(separator: " ")
        let cut = line.unicodeScalars.prefix(scalarsMax)
        let isWhole = cut.endIndex == line.unicodeScalars.endIndex
        let kept = isWhole ? line : String(String.UnicodeScalarView(cut)) + "…"
        return kept.hasSuffix(".") ? String(kept.dropLast()) : kept
    }

    private static func parsed(_ body: Data) -> (message: String, code: String?)? {
        do {
            let shape = try JSONDecoder().decode(Shape.self, from: body)
            return shape.message.map { ($0, shape.code) }
        } catch {
            // Not one of the shapes: the caller shows the text as it came.
            return nil
        }
    }

    /// `{"error": {"message", "code"}}`, `{"error": "…"}`, `{"message": "…"}` or `{"detail": "…"}`.
    private struct Shape: Decodable {
        let message: String?
        let code: String?

        private enum CodingKeys: CodingKey {
            case error, message, detail, code, type
        }

        init(from decoder: any Decoder) throws {
            let outer = try decoder.container(keyedBy: CodingKeys.self)
            do {
                let error = try outer.nestedContainer(keyedBy: CodingKeys.self, forKey: .error)
                message = try error.decodeIfPresent(String.self, forKey: .message)
                code = Self.text(error, .code) ?? Self.text(error, .type)
            } catch {
                message = Self.text(outer, .error) ?? Self.text(outer, .message) ?? Self.text(outer, .detail)
                code = nil
            }
        }

        /// The text at `key`; nil if something else stands there, such as a number.
        private static func text(_ container: KeyedDecodingContainer<CodingKeys>, _ key: CodingKeys) -> String? {
            do {
                return try container.decodeIfPresent(String.self, forKey: key)
            } catch {
                return nil
            }
        }
    }
}
