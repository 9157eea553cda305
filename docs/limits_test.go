package docs

import (
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/parser"
)

// Every limit in limits.md is an option, and every option that looks like a limit is there. Every limit
// that is counted is there under its name.
func TestLimits(t *testing.T) {
	text, err := os.ReadFile("limits.md")
	require.NoError(t, err)
	named := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(string(text), -1) {
		for _, name := range regexp.MustCompile("`([A-Za-z.]+)`").FindAllStringSubmatch(row[1], -1) {
			named[name[1]] = true
		}
	}
	options := map[string]bool{}
	for f := range reflect.TypeFor[socketio.Options]().Fields() {
		options[f.Name] = true
	}
	for f := range reflect.TypeFor[socketio.ClusterOptions]().Fields() {
		options["Cluster."+f.Name] = true
		if f.Name == "QueueLimit" {
			assert.True(t, named["Cluster."+f.Name], "Options.Cluster.%s is missing", f.Name)
		}
	}
	for f := range reflect.TypeFor[socketio.Limits]().Fields() {
		options[f.Name] = true
		if f.Name != "Packet" {
			assert.True(t, named[f.Name], "Options.Limits.%s is missing", f.Name)
		}
	}
	for f := range reflect.TypeFor[parser.Limits]().Fields() {
		options["Packet."+f.Name] = true
		assert.True(t, named["Packet."+f.Name], "Options.Limits.Packet.%s is missing", f.Name)
	}
	for f := range reflect.TypeFor[socketio.Recovery]().Fields() {
		options["Recovery."+f.Name] = true
	}
	for name := range socketio.NewServer(nil).Stats().LimitHits {
		assert.True(t, named[name], "%s is counted and missing", name)
	}
	require.Greater(t, len(named), 15)
	for name := range named {
		assert.True(t, options[name], "there is no option %s", name)
	}
}
