//go:build !(amd64 || arm64) || go1.28

package sonic

import (
	"log/slog"
	"runtime"
	"sync"

	"github.com/seed-d124fa34/socketio/parser"
)

// Native reports whether the codec is bytedance/sonic. If it is false, as on other
// processors than amd64 and arm64 and with versions of Go that sonic does not know, the
// codec is encoding/json.
const Native = false

var logOnce sync.Once

// New returns the codec, for Options.JSON: encoding/json, which it logs the first time with
// [slog.Default].
func New() parser.StandardCodec {
	logOnce.Do(func() {
		slog.Warn("socketio: the JSON codec is encoding/json, because bytedance/sonic does not support this system: "+
			"leave Options.JSON unset, or build for amd64 or arm64 with a version of Go that sonic knows",
			"arch", runtime.GOARCH, "go", runtime.Version())
	})
	return parser.Standard
}
