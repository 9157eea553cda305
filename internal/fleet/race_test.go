//go:build race

package fleet

const memberCount = 50_000
