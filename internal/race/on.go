//go:build race

package race

// Enabled is set with the race detector.
const Enabled = true
