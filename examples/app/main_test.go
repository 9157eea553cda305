package main

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// site serves the whole demo on a port of 127.0.0.1.
func site(t *testing.T, clientDir string) *httptest.Server {
	ctx, cancel := context.WithCancel(t.Context())
	srv := newServer(ctx, time.Hour)
	web := httptest.NewServer(newHandler(srv, clientDir, 10*time.Second))
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, srv.Shutdown(context.WithoutCancel(ctx)))
		web.Close()
	})
	return web
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(content)
}

func TestPage(t *testing.T) {
	t.Run("client from the CDN", func(t *testing.T) {
		web := site(t, "")
		status, page := get(t, web.URL)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, page, `<script src="`+clientCDN+`" integrity="`+clientIntegrity+`" crossorigin="anonymous"`)
		assert.NotContains(t, page, "/client/")
		status, _ = get(t, web.URL+"/client/"+clientFile)
		assert.Equal(t, http.StatusNotFound, status)
	})
	t.Run("client installed", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, clientFile), []byte("the client"), 0o600))
		require.Equal(t, dir, findClient(dir))

		web := site(t, dir)
		_, page := get(t, web.URL)
		assert.Contains(t, page, `<script src="/client/`+clientFile+`"`)
		assert.NotContains(t, page, clientCDN)
		_, content := get(t, web.URL+"/client/"+clientFile)
		assert.Equal(t, "the client", content)
	})
	t.Run("other paths", func(t *testing.T) {
		web := site(t, "")
		for path, want := range map[string]int{
			"/static/app.js":                      http.StatusOK,
			"/static/app.css":                     http.StatusOK,
			"/nothing":                            http.StatusNotFound,
			"/socket.io/?EIO=3&transport=polling": http.StatusBadRequest,
		} {
			status, _ := get(t, web.URL+path)
			assert.Equal(t, want, status, path)
		}
	})
}

// The page must name the version that npm ci installs, with its hash.
func TestClientVersion(t *testing.T) {
	var manifest struct{ Dependencies map[string]string }
	content, err := os.ReadFile("package.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(content, &manifest))
	assert.Contains(t, clientCDN, "/"+manifest.Dependencies["socket.io-client"]+"/")

	dir := findClient("")
	if dir == "" {
		t.Skip("npm ci has not been run here: the hash cannot be checked")
	}
	content, err = os.ReadFile(filepath.Join(dir, clientFile))
	require.NoError(t, err)
	sum := sha512.Sum384(content)
	assert.Equal(t, clientIntegrity, "sha384-"+base64.StdEncoding.EncodeToString(sum[:]))
}

// Messages are other people's input: the page shows them as text.
func TestPageInsertsNoHTML(t *testing.T) {
	script, err := static.ReadFile("static/app.js")
	require.NoError(t, err)
	for _, banned := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("} {
		assert.NotContains(t, string(script), banned)
	}
}

func TestRun(t *testing.T) {
	t.Run("port taken", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		err = run(t.Context(), listener.Addr().String(), "")
		assert.ErrorContains(t, err, "-addr")
	})
	t.Run("no client where asked", func(t *testing.T) {
		err := run(t.Context(), "127.0.0.1:0", t.TempDir())
		assert.ErrorContains(t, err, "-client-dir")
	})
	t.Run("clean stop", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		assert.NoError(t, run(ctx, "127.0.0.1:0", ""))
	})
}

// The disconnect handler prints who left and why.
func TestDisconnectIsPrinted(t *testing.T) {
	stdout := os.Stdout
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer read.Close()
	os.Stdout = write
	defer func() { os.Stdout = stdout }()

	var sid string
	bubble(t, func(t *testing.T, srv *socketio.Server) {
		ann := join(t, srv)
		sid = ann.ID()
		ann.Disconnect()
	})
	require.NoError(t, write.Close())
	var printed bytes.Buffer
	_, err = printed.ReadFrom(read)
	require.NoError(t, err)
	assert.Equal(t, "Client disconnected "+sid+" client disconnect", strings.TrimSpace(printed.String()))
}
