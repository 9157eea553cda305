package docs

import (
	"go/types"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const flaskDoc = "from-flask-socketio.md"

// row is one of a table: what Flask-SocketIO has, and what this package has.
type row struct{ theirs, ours string }

// rows returns the rows of the table under a heading.
func rows(t *testing.T, heading string) (all []row) {
	t.Helper()
	text, err := os.ReadFile(flaskDoc)
	require.NoError(t, err)
	_, section, ok := strings.Cut("\n"+string(text), "\n"+heading+"\n")
	require.True(t, ok, "no heading %q", heading)
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.SplitSeq(section, "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || line == "| Flask-SocketIO | this package |" {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		require.Len(t, cells, 2, "not two cells: %s", line)
		all = append(all, row{strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1])})
	}
	require.NotEmpty(t, all)
	return all
}

// What Flask-SocketIO 5.6 and the parts of python-socketio 5.16 that its users
// reach have for names.
var flaskNames = map[string]string{
	"options": `manage_session message_queue channel path resource client_manager logger serializer json async_handlers
		always_connect namespaces async_mode ping_interval ping_timeout max_http_buffer_size allow_upgrades http_compression
		compression_threshold cookie cors_allowed_origins cors_credentials monitor_clients transports engineio_logger`,
	"methods": `init_app on on_error on_error_default on_event event on_namespace emit call send close_room run stop
		start_background_task sleep test_client reason server server_options handlers`,
	"functions":  `emit call send join_room leave_room close_room rooms disconnect`,
	"parameters": `namespace to room broadcast include_self skip_sid callback ignore_queue timeout json sid silent`,
	"request":    `sid namespace event args headers cookies environ`,
	"class": `on_connect on_disconnect trigger_event emit send call close_room enter_room leave_room rooms session get_session
		save_session disconnect`,
	"server": `emit send call enter_room leave_room close_room rooms get_session save_session session disconnect transport
		get_environ handle_request shutdown start_background_task sleep on event register_namespace instrument reason
		get_participants is_connected`,
	"test client": `is_connected connect disconnect emit send get_received eio_sid queue acks flask_test_client query_string
		headers auth callback`,
	"reasons": `CLIENT_DISCONNECT SERVER_DISCONNECT PING_TIMEOUT TRANSPORT_CLOSE TRANSPORT_ERROR`,
	"errors":  `ConnectionRefusedError TimeoutError`,
	"run":     `host port debug use_reloader reloader_options extra_files log_output allow_unsafe_werkzeug certfile keyfile`,
	"others": `SocketIO Namespace SocketIOTestClient WSGIApp static_files socketio_path copy_current_request_context message
		connect`,
}

// Every name has a row, and no row is without an answer.
func TestEveryFlaskNameHasAnAnswer(t *testing.T) {
	var names strings.Builder
	for _, r := range rows(t, "## Every name") {
		assert.NotEmpty(t, r.ours, "no answer: %s", r.theirs)
		for _, code := range codes(r.theirs) {
			names.WriteString(code + "\n")
		}
	}
	for kind, list := range flaskNames {
		for name := range strings.FieldsSeq(list) {
			assert.Regexp(t, `\b`+name+`\b`, names.String(), "no row for one of the %s", kind)
		}
	}
}

// What the tables say that there is, there is.
func TestFlaskAnswersExist(t *testing.T) {
	c := newChecker(t)
	pkg := map[string]*types.Package{}
	for name, path := range packages {
		p, err := c.importer.Import(path)
		require.NoError(t, err)
		pkg[name] = p
	}
	found := 0
	for _, heading := range []string{"## By task", "## Every name", "## What is different, and why"} {
		for _, r := range rows(t, heading) {
			for _, code := range codes(r.ours) {
				for _, path := range namesIn(code) {
					found++
					assert.True(t, exists(pkg, path), "there is no %s: %s", path, r.ours)
				}
			}
		}
	}
	assert.Greater(t, found, 150)
	for _, missing := range []string{"Nothing", "Options.Nothing", "srv.Nothing", "c.Nothing", "socketiotest.Client.Nothing", "http.Nothing"} {
		assert.False(t, exists(pkg, missing), missing)
	}
}

func codes(cell string) (all []string) {
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			all = append(all, part)
		}
	}
	return all
}

var (
	text  = regexp.MustCompile(`"[^"]*"`)
	names = regexp.MustCompile(`(^|[^\w.])((?:[a-z]\w*\.)?[A-Z]\w*(?:\.[A-Z]\w*)?)`)
)

// namesIn returns the exported names of Go that a piece of code uses, with the
// package, type or variable in front of them.
func namesIn(code string) (all []string) {
	for _, m := range names.FindAllStringSubmatch(text.ReplaceAllString(code, ""), -1) {
		all = append(all, m[2])
	}
	return all
}

// notOurs are what looks like such a name but is the app's, or of a module that
// this one does not require.
var notOurs = map[string]bool{
	"OnConnect": true, "OnDisconnect": true, "OnMyEvent": true, "On": true, "OnError": true, "Chat": true, "MarshalJSON": true,
	"FLASK_RUN_FROM_CLI": true,
	"msgpack.New":        true,
}

// exists looks up Name, Type.Member, package.Name or package.Type.Member.
// Names without a package are those of socketio, c is a Context, srv a
// Server and mux an http.ServeMux.
func exists(pkg map[string]*types.Package, path string) bool {
	if notOurs[path] {
		return true
	}
	parts := strings.Split(path, ".")
	in := pkg["socketio"]
	switch first := parts[0]; {
	case first == "c":
		parts[0] = "Context"
	case first == "srv":
		parts[0] = "Server"
	case first == "mux":
		in, parts[0] = pkg["http"], "ServeMux"
	case pkg[first] != nil:
		in, parts = pkg[first], parts[1:]
	}
	obj := in.Scope().Lookup(parts[0])
	if obj == nil || len(parts) == 1 {
		return obj != nil
	}
	member, _, _ := types.LookupFieldOrMethod(obj.Type(), true, in, parts[1])
	return member != nil
}
