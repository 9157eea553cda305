package socketio_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed-d124fa34/socketio"
)

// Options from a configuration can be tried before NewServer panics.
func TestOptionsValidate(t *testing.T) {
	var none *socketio.Options
	require.NoError(t, none.Validate())
	require.NoError(t, new(socketio.Options).Validate())
	for _, o := range []*socketio.Options{
		{Limits: socketio.Limits{MaxRooms: -1}}, {Cluster: socketio.ClusterOptions{PeerURL: "x"}}, {Transports: []string{"pigeon"}}, {PingInterval: -1}, {AllowedOrigins: []string{"not an origin/"}},
		{Namespaces: []string{"a,b"}}, {Limits: socketio.Limits{EventBurst: 3}},
	} {
		err := o.Validate()
		require.Error(t, err, "%+v", o)
		said := panicOf(t, func() { socketio.NewServer(o) })
		require.Contains(t, strings.ReplaceAll(said, "NewServer: ", ""), strings.TrimPrefix(err.Error(), "socketio: "))
	}
}
