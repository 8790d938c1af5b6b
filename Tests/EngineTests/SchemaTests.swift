// The bytes of a schema: those of earlier versions mean what they meant, and what no version wrote is refused.
@testable import Engine
import Index
import Memory
import Testing
import TestSupport

@Suite struct SchemaTests {
    private static func encode(_ schema: CollectionSchema) -> [UInt8] {
        var writer = ByteWriter()
        schema.encode(to: &writer)
        return writer.finish()
    }

    private static func decode(_ bytes: [UInt8]) throws(Corruption) -> CollectionSchema {
        var reader = ByteReader(bytes.rawSpan)
        let schema = try CollectionSchema(decoding: &reader)
        try reader.finish()
        return schema
    }

    /// A space `s` of 3 numbers, with these bytes behind its dimension, and a field `f` of type int.
    private static func bytes(_ choices: [UInt8]) -> [UInt8] {
        [1, 0, 0, 0, 0x63, 1, 0, 1, 0, 0, 0, 0x73, 3, 0, 0, 0] + choices + [1, 0, 1, 0, 0, 0, 0x66, 3]
    }

    private static func schema(_ index: IndexKind, _ quantization: QuantizationKind, _ metric: Metric = .dot) -> CollectionSchema {
        CollectionSchema(
            name: "c", spaces: [SpaceSchema(name: "s", dimension: 3, metric: metric, index: index, quantization: quantization)],
            fields: [FieldSchema(name: "f", type: .int)])
    }

    @Test func `a schema without choices has the bytes that it always had`() throws {
        for metric in Metric.allCases {
            #expect(Self.encode(Self.schema(.auto, .auto, metric)) == Self.bytes([metric.rawValue]))
            #expect(try Self.decode(Self.bytes([metric.rawValue])) == Self.schema(.auto, .auto, metric))
        }
    }

    @Test func `choices stand behind the metric, which says that they do`() throws {
        #expect(Self.encode(Self.schema(.hnsw, .int8)) == Self.bytes([0x82, 2, 3]))
        #expect(Self.encode(Self.schema(.ivf, .none, .l2)) == Self.bytes([0x83, 3, 2]))
        #expect(Self.encode(Self.schema(.flat, .auto, .cosine)) == Self.bytes([0x81, 4, 1]))
        #expect(Self.encode(Self.schema(.auto, .line)) == Self.bytes([0x82, 1, 4]))
        for index in IndexKind.allCases {
            for quantization in QuantizationKind.allCases {
                let schema = Self.schema(index, quantization)
                #expect(try Self.decode(Self.encode(schema)) == schema)
            }
        }
    }

    @Test func `choices that there are not, and bytes cut short, are refused`() throws {
        for wrong in [[0x82, 0, 1], [0x82, 5, 1], [0x82, 1, 0], [0x82, 1, 5], [0x80, 1, 1], [0x84, 1, 1], [0], [4], [0x42]] as [[UInt8]] {
            #expect(throws: Corruption.self, "\(wrong)") { try Self.decode(Self.bytes(wrong)) }
        }
        let whole = Self.encode(Self.schema(.hnsw, .int8))
        for count in 0..<whole.count {
            #expect(throws: Corruption.self, "\(count)") { try Self.decode(Array(whole[..<count])) }
        }
    }

    @Test func `choices live through the log, a checkpoint and every open`() throws {
        let disk = FaultyDisk()
        let schema = CollectionSchema(
            name: "c", spaces: [
                SpaceSchema(name: "a", dimension: 2, metric: .l2, index: .hnsw, quantization: .line), SpaceSchema(name: "b", dimension: 3, metric: .dot),
            ], fields: [])
        _ = try TestDatabase.open(disk).write(.createCollection(schema))
        let restarted = disk.afterRestart()
        let replayed = try TestDatabase.open(restarted)
        #expect(try replayed.snapshot().collection("c").schema == schema)
        try replayed.checkpoint()
        #expect(try TestDatabase.open(restarted.afterRestart()).snapshot().collection("c").schema == schema)
    }
}
