//go:build !race

package fleet

const memberCount = 1_000_000
