// Package plural counts things in error messages.
package plural

import "strconv"

// Of returns a number and what it counts, with an s unless the number is 1: "1 client", "2 clients".
func Of[N int | uint64](n N, thing string) string {
	s := strconv.FormatUint(uint64(n), 10) + " " + thing
	if n == 1 {
		return s
	}
	return s + "s"
}
