// Package similar finds the name that was meant by a misspelt one.
package similar

import (
	"slices"
	"strings"
)

// Name returns the one of the names that was most likely meant by name, "" if none is
// similar. Similar names differ, apart from case and what separates words, in one letter
// of four, and in two at most.
func Name(name string, names []string) string {
	const longest = 100 // a longer name was not typed
	wanted := plainName(name)
	if len(name) > longest || wanted == "" {
		return ""
	}
	best, distance := "", min(2, len(wanted)/4)+1
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		plain := plainName(candidate)
		if candidate == name || plain == "" || len(candidate) > longest {
			continue
		}
		if d := editDistance(wanted, plain); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

// plainName returns a name without case and separators.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("/_-. :*", r) {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// editDistance counts the letters to insert, delete, replace, or exchange with
// the next, that make one name of the other.
func editDistance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := range s {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(t)]
}
