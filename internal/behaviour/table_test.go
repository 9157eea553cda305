package behaviour

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// failures notes the failures of a check, and the test goes on.
type failures struct {
	testing.TB
	all []string
}

func (f *failures) Errorf(format string, args ...any) {
	f.all = append(f.all, fmt.Sprintf(format, args...))
}

func TestCheckTable(t *testing.T) {
	f := &failures{TB: t}
	CheckTable(f, []Row{
		{"T1", "of the root package, of a suite, of another package", "TestStats TestFlaskConnect/01 parser.TestLimits", ""},
		{"T2", "nothing checks it", "", "it cannot be"},
		{"T3", "forgotten", "", ""},
		{"T4", "gone", "TestThatIsGone parser.TestThatIsGone TestFlaskConnect/99", ""},
	}, Numbers("T%d", 4))
	require.Equal(t, []string{
		"T3 forgotten: neither a test nor a reason",
		"T4 gone: there is no test TestThatIsGone",
		"T4 gone: there is no test parser.TestThatIsGone",
		"T4 gone: there is no subtest TestFlaskConnect/99",
	}, f.all)
}
