// Numbered lists against arrays of arrays.
import Memory
import Testing
import TestSupport

@Suite struct PagedListsTests {
    @Test func `lists replaced in any order are what was last set, read by one and by runs`() {
        let seed = TestSeed(11)
        var random = seed.random
        var lists = PagedLists()
        var model: [[UInt32]] = []
        for round in 0..<400 {
            if model.isEmpty || random.oneIn(4) {
                lists.appendEmpty()
                model.append([])
            }
            let list = Int.random(in: 0..<model.count, using: &random)
            // Now and then longer than the pages of the lists' numbers, which hold 1024.
            let length = random.oneIn(20) ? 3000 : Int.random(in: 0..<40, using: &random)
            model[list] = (0..<length).map { _ in UInt32(truncatingIfNeeded: random.next()) }
            lists.set(list, to: model[list])
            guard round % 20 == 0 || round > 390 else { continue }
            #expect((0..<lists.count).map { lists[$0] } == model, "\(seed), round \(round)")
            var runs = [[UInt32]](repeating: [], count: model.count)
            var last = 0
            lists.forEachRun { list, numbers in
                #expect(list >= last && !numbers.isEmpty)
                last = list
                for index in numbers.indices { runs[list].append(numbers[index]) }
            }
            #expect(runs == model, "\(seed), round \(round)")
        }
    }

    @Test func `where no list has a number there is no run`() {
        var lists = PagedLists()
        lists.forEachRun { _, _ in Issue.record("a run of nothing") }
        for _ in 0..<3 { lists.appendEmpty() }
        lists.forEachRun { _, _ in Issue.record("a run of nothing") }
    }
}
