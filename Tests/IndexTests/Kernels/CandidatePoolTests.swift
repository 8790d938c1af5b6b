// Pools of candidates against a list that is kept sorted, in every variant's insertion.
import CKernels
@testable import Index
import Memory
import Testing
import TestSupport

@Suite struct CandidatePoolTests {
    @Test(arguments: CodeKernels.all)
    func `a pool holds what a sorted list would, marks and ties and all`(kernels: CodeKernels) {
        let seed = TestSeed(41)
        var random = seed.random
        for capacity in Array(1...20) + [30, 57, 100, 131, 200] {
            // With few distances most candidates tie; with many the pool is seldom at its end.
            for distances: [Float] in [[-1, 0, 1], [-.infinity, -2.5, -0.0, 0, 0x1p-130, 7, .infinity], (0..<5000).map { Float($0) }] {
                withFences { fences in
                    let keys = fences.room(capacity + CandidatePool.spareKeys, of: UInt64.self)
                    // What lies behind the pool's end may be anything, and less than what is in it.
                    for place in 0..<keys.count { keys[place] = UInt64.random(in: 0...(.max), using: &random) }
                    let links = fences.room(0, of: UInt32.self)
                    var pool = unsafe nt_pool(keys: keys.address, capacity: capacity, count: 0, next: 0)
                    var list: [UInt64] = []
                    var number = UInt32.random(in: 0...(.max), using: &random)
                    for round in 0..<25 {
                        // Each number once, in no order: odd steps come by all numbers.
                        let ids = (0..<[0, 1, 3, 32, 64][round % 5]).map { _ in
                            number &+= 0x9e37_79b1
                            return number & 0x7fff_ffff
                        }
                        let offered = ids.map { _ in distances.randomElement(using: &random)! }
                        // Links are asked for and not read, so that they need not be there.
                        // Sound: the pool's keys have room, and every candidate its number and distance.
                        unsafe kernels.table.pointee.offer(
                            &pool, fences.cells(ids).address, fences.cells(offered).address, ids.count, round % 2 == 0 ? nil : links.address, 32)
                        for (id, distance) in zip(ids, offered) { ScalarCodeKernels.offer(id, distance, to: &list, capacity: capacity) }

                        let (count, next) = unsafe (pool.count, pool.next)
                        #expect(Array(copying: keys.part(0..<count).readOnly.span) == list, "\(seed): capacity \(capacity), round \(round)")
                        #expect(next <= count && list[..<min(next, count)].allSatisfy { $0 & CandidateKey.mark != 0 }, "\(seed): next \(next)")
                        guard count == list.count else { return }
                        for place in list.indices where Int.random(in: 0..<4, using: &random) == 0 {
                            list[place] |= CandidateKey.mark
                            keys[place] = list[place]
                        }
                        unsafe pool.next = list.firstIndex { $0 & CandidateKey.mark == 0 } ?? count
                    }
                }
            }
        }
    }

    @Test(arguments: CodeKernels.all)
    func `the nearest candidate not yet taken is next, whatever comes in between`(kernels: CodeKernels) {
        let seed = TestSeed(42)
        var random = seed.random
        for capacity in [1, 2, 7, 8, 9, 30] {
            withFences { fences in
                var pool = CandidatePool(keys: fences.room(capacity + CandidatePool.spareKeys, of: UInt64.self), capacity: capacity)
                var list: [UInt64] = []
                for number in 0..<UInt32(300) {
                    // Now and then more at once than a batch holds.
                    let ids = (0..<(number % 50 == 49 ? 150 : number % 4)).map { number * 1000 + $0 }
                    let distances = ids.map { _ in Float(Int.random(in: -20...Int(300 - number), using: &random)) }
                    pool.offer(fences.cells(ids), fences.cells(distances), by: kernels)
                    for (id, distance) in zip(ids, distances) { ScalarCodeKernels.offer(id, distance, to: &list, capacity: capacity) }
                    let place = list.firstIndex { $0 & CandidateKey.mark == 0 }
                    let taken = pool.takeNext()
                    #expect(taken == place.map { CandidateKey.number(list[$0]) }, "\(seed): capacity \(capacity), step \(number)")
                    if let place { list[place] |= CandidateKey.mark }
                    #expect((0..<pool.count).map { pool[$0] } == list, "\(seed): capacity \(capacity), step \(number)")
                }
            }
        }
    }

    @Test func `keys are ordered as distances and then numbers are, and give them back`() {
        let distances: [Float] = [-.infinity, -.greatestFiniteMagnitude, -1, -.leastNonzeroMagnitude, 0, .leastNonzeroMagnitude, 1, .infinity]
        let keys = distances.flatMap { distance in [0, 1, 0x7fff_ffff].map { CandidateKey.make(distance, $0) } }
        #expect(keys == keys.sorted() && Set(keys).count == keys.count)
        #expect(CandidateKey.make(-0.0, 7) == CandidateKey.make(0, 7), "two zeros are one distance")
        for (place, key) in keys.enumerated() {
            #expect(CandidateKey.distance(key).bitPattern == distances[place / 3].bitPattern)
            #expect(CandidateKey.number(key | CandidateKey.mark) == [0, 1, 0x7fff_ffff][place % 3])
        }
    }
}
