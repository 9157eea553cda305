// Package race tells tests whether the race detector is on: it makes programs many times slower, and has a
// sync.Pool lose some of what it gets.
package race
