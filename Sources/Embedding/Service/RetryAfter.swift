// Reads the header in which a service says when to come back (RFC 9110, section 10.2.3).

enum RetryAfter {
    /// Milliseconds from now, for both of the header's forms; nil if it has neither.
    static func milliseconds(_ header: String, nowSeconds: Int) -> Int? {
        if let seconds = Int(header) {
            return seconds >= 0 ? milliseconds(seconds) : nil
        }
        return seconds(ofDate: header).map { milliseconds(max(0, $0 - nowSeconds)) }
    }

    /// A service that says "in a million years" must not overflow us.
    private static func milliseconds(_ seconds: Int) -> Int { min(seconds, Int(Int32.max)) * 1000 }

    /// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, the one form a server may send.
    private static func seconds(ofDate date: String) -> Int? {
        let parts = date.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT",
            let day = number(parts[1], 1...31), let month = months.firstIndex(of: String(parts[2])),
            let year = number(parts[3], 1970...9999)
        else { return nil }
        let clock = parts[4].split(separator: ":")
        guard clock.count == 3, let hour = number(clock[0], 0...23), let minute = number(clock[1], 0...59),
            let second = number(clock[2], 0...60)
        else { return nil }
        return ((days(year, month + 1, day) * 24 + hour) * 60 + minute) * 60 + second
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring, _ range: ClosedRange<Int>) -> Int? {
        guard let number = Int(text), range.contains(number) else { return nil }
        return number
    }

    /// Days since 1970 in the Gregorian calendar. A year is counted from March, so that its leap day comes last;
    /// (153 m + 2) / 5 is the number of days before month m of such a year.
    private static func days(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let year = month > 2 ? year : year - 1
        let month = month > 2 ? month - 3 : month + 9
        let leapDays = year / 4 - year / 100 + year / 400
        let daysFromYearZeroTo1970 = 719_469
        return 365 * year + leapDays + (153 * month + 2) / 5 + day - daysFromYearZeroTo1970
    }
}
