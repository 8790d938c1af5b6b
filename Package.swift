// swift-tools-version: 6.2
// Needletail: one daemon, one command line, and the modules they stand on. Arrows point down only.
import PackageDescription

/// The language rules every Swift target here is held to.
let swiftRules: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

let package = Package(
    name: "needletail",
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
    ],
    targets: [
        // C: instruction-set kernels, and thin shims over system libraries.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),
        .systemLibrary(name: "CZlib"),
        .systemLibrary(name: "CZstd"),

        // Owned and borrowed memory, bitmaps, checksums, byte cursors.
        .target(name: "Memory", dependencies: ["CKernels"], swiftSettings: swiftRules),

        // Bytes that survive a crash.
        .target(name: "Storage", dependencies: ["Memory"], swiftSettings: swiftRules),

        // Requests, responses, client: the only place that knows the protocol.
        .target(name: "Wire", dependencies: ["Memory", "CSimdjson"], swiftSettings: swiftRules),

        // Files of every kind to documents, chunks and vectors, one at a time.
        .target(name: "Ingest", dependencies: ["Memory", "Wire", "CZlib", "CZstd"], swiftSettings: swiftRules),

        .testTarget(name: "MemoryTests", dependencies: ["Memory"], swiftSettings: swiftRules),
        .testTarget(name: "IngestTests", dependencies: ["Ingest", "Wire", "Memory", "CZlib", "CZstd"], swiftSettings: swiftRules),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx20
)
