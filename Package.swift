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
        .target(name: "CBLAS", cSettings: [.unsafeFlags(["-O3"])]),
        .target(name: "CSimdjson", linkerSettings: [.linkedLibrary("simdjson")]),

        // Owned and borrowed memory, bitmaps, checksums, byte cursors.
        .target(name: "Memory", dependencies: ["CKernels"], swiftSettings: swiftRules),

        // Bytes that survive a crash.
        .target(name: "Storage", dependencies: ["Memory"], swiftSettings: swiftRules),

        // Nearest neighbours in lent memory.
        .target(name: "Index", dependencies: ["Memory", "CKernels", "CBLAS"], swiftSettings: swiftRules),

        // The database: collections, commits, snapshots.
        .target(name: "Engine", dependencies: ["Index", "Storage", "Memory"], swiftSettings: swiftRules),

        // Requests, responses, client: the only place that knows the protocol.
        .target(name: "Wire", dependencies: ["Memory", "CSimdjson"], swiftSettings: swiftRules),

        // Seeds, threads, and a disk that fails on request: what the tests share.
        .target(name: "TestSupport", dependencies: ["Storage", "Memory"], path: "Tests/Support", swiftSettings: swiftRules),

        .testTarget(name: "MemoryTests", dependencies: ["Memory", "CKernels", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "StorageTests", dependencies: ["Storage", "Memory", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "IndexTests", dependencies: ["Index", "Memory", "TestSupport"], swiftSettings: swiftRules),
        .testTarget(name: "EngineTests", dependencies: ["Engine", "Index", "Storage", "Memory", "TestSupport"], swiftSettings: swiftRules),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c17,
    cxxLanguageStandard: .cxx20
)
