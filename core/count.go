package core

import "strconv"

// Count returns a number of things in words for a message: "1 record", "2 records". The noun takes an s.
func Count[N int | int64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.FormatInt(int64(n), 10) + " " + noun
}
