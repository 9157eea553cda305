package main

import "slices"

// The rules of Dots and Boxes. Players draw lines between dots, one each turn. Who draws
// the fourth line of a box gets the box, and another turn. The most boxes win.

// size is the number of boxes in a row. Lines are numbered: first those between dots of a
// row, row by row, then those between dots of a column.
const (
	size       = 4
	horizontal = (size + 1) * size
	lineCount  = 2 * horizontal
	nobody     = 0 // the colour of what nobody has drawn
)

// linesOf returns the numbers of the lines around a box.
func linesOf(box int) []int {
	left := horizontal + box/size*(size+1) + box%size
	return []int{box, box + size, left, left + 1}
}

// grid has, for each line and each box, the colour of the player whose it is, or nobody.
type grid struct {
	Lines [lineCount]int   `json:"lines"`
	Boxes [size * size]int `json:"boxes"`
}

// draw draws a line, and reports whether that completes a box.
func (g *grid) draw(line, color int) (completed bool) {
	g.Lines[line] = color
	open := func(line int) bool { return g.Lines[line] == nobody }
	for box, owner := range g.Boxes {
		if owner == nobody && !slices.ContainsFunc(linesOf(box), open) {
			g.Boxes[box], completed = color, true
		}
	}
	return completed
}
