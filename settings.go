package socketio

import (
	"cmp"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-d124fa34/socketio/broker"
	"github.com/seed-d124fa34/socketio/engineio"
	"github.com/seed-d124fa34/socketio/parser"
)

const (
	defaultPath              = "/socket.io/"
	defaultPingInterval      = 25 * time.Second // the engine's, as the next
	defaultPingTimeout       = 20 * time.Second
	defaultConnectTimeout    = 45 * time.Second
	defaultDrainTimeout      = 5 * time.Second
	defaultSendQueueLimit    = 64 << 20
	defaultReceiveQueueLimit = 4 << 20
	defaultAsyncLimit        = 100
	defaultMaxNamespaces     = 100
	defaultRemoteAckTimeout  = time.Minute
	defaultMaxRooms          = 10_000
	defaultMaxPendingAcks    = 10_000
)

// settings are Options checked and completed.
type settings struct {
	Options
	accept    map[string]bool
	acceptAll bool
	queue     parser.Parser // JSON, for the broker
	stall     time.Duration // how long a backlog may stand still: as long as a client may be silent
	ownParser bool          // Options.Parser is set: packets are not what the queue has
}

// complete copies o and fills in the defaults, all but the engine's own.
func (o *Options) complete() (settings, error) {
	var s settings
	if o != nil {
		s.Options = *o
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Limits.ReceiveQueueLimit", s.Limits.ReceiveQueueLimit},
		{"Limits.AsyncLimit", s.Limits.AsyncLimit},
		{"Limits.ControlRate", s.Limits.ControlRate},
		{"Limits.MaxNamespaces", s.Limits.MaxNamespaces},
		{"Cluster.QueueLimit", s.Cluster.QueueLimit},
		{"Cluster.ReplayLimit", s.Cluster.ReplayLimit},
		{"Limits.MaxRooms", s.Limits.MaxRooms},
		{"Limits.MaxPendingAcks", s.Limits.MaxPendingAcks},
		{"Limits.EventRate", s.Limits.EventRate},
		{"Limits.EventBurst", s.Limits.EventBurst},
	} {
		if n.value < 0 {
			return s, fmt.Errorf("field Options.%s is %d: set a positive number, or leave it 0 for the default", n.name, n.value)
		}
	}
	if s.DrainTimeout < 0 {
		return s, fmt.Errorf("field Options.DrainTimeout is %v: set a positive duration, or leave it 0 for the default of %v", s.DrainTimeout, defaultDrainTimeout)
	}
	if s.Limits.EventBurst > 0 && s.Limits.EventRate == 0 {
		return s, fmt.Errorf("field Options.Limits.EventBurst is set without EventRate: set EventRate to the events a second that a client may send")
	}
	if s.Limits.EventRate > maxEventRate || s.Limits.EventBurst > maxEventRate || s.Limits.ControlRate > maxEventRate {
		return s, fmt.Errorf("fields Options.Limits.EventRate, EventBurst and ControlRate can be at most %d; 0 means no limit", maxEventRate)
	}
	if s.JSON != nil && s.Parser != nil {
		return s, fmt.Errorf("both Options.JSON and Options.Parser are set: give the codec to the parser, and set Parser only")
	}
	if s.Path == "" {
		s.Path = defaultPath
	}
	if !strings.HasPrefix(s.Path, "/") {
		s.Path = "/" + s.Path
	}
	if !strings.HasSuffix(s.Path, "/") {
		s.Path += "/"
	}
	if s.ConnectTimeout == 0 {
		s.ConnectTimeout = defaultConnectTimeout
	}
	if s.DrainTimeout == 0 {
		s.DrainTimeout = defaultDrainTimeout
	}
	if s.Limits.SendQueueLimit == 0 {
		s.Limits.SendQueueLimit = defaultSendQueueLimit
	}
	if s.Limits.ReceiveQueueLimit == 0 {
		s.Limits.ReceiveQueueLimit = defaultReceiveQueueLimit
	}
	if s.Limits.ControlRate == 0 {
		s.Limits.ControlRate = defaultControlRate
	}
	if s.Limits.AsyncLimit == 0 {
		s.Limits.AsyncLimit = defaultAsyncLimit
	}
	s.stall = cmp.Or(s.PingInterval, defaultPingInterval) + cmp.Or(s.PingTimeout, defaultPingTimeout)
	if s.Limits.MaxNamespaces == 0 {
		s.Limits.MaxNamespaces = defaultMaxNamespaces
	}
	if s.Cluster.AckTimeout < 0 {
		return s, fmt.Errorf("field Options.Cluster.AckTimeout is %v: set a positive duration, or leave it 0 for the default", s.Cluster.AckTimeout)
	}
	if s.Cluster.Broker == nil && (s.Cluster.Channel != "" || s.Cluster.QueueLimit+s.Cluster.ReplayLimit > 0 || s.Cluster.AckTimeout > 0 || s.Cluster.PeerURL != "") {
		return s, fmt.Errorf("options for a broker are set, but Options.Cluster.Broker is nil: set it, or remove Channel, QueueLimit, ReplayLimit, AckTimeout and PeerURL")
	}
	if err := s.checkPeerURL(); err != nil {
		return s, err
	}
	s.ownParser = s.Parser != nil
	s.queue = parser.New(s.JSON)
	if s.Limits.MaxRooms == 0 {
		s.Limits.MaxRooms = defaultMaxRooms
	}
	if s.Limits.MaxPendingAcks == 0 {
		s.Limits.MaxPendingAcks = defaultMaxPendingAcks
	}
	if s.Limits.EventBurst == 0 {
		s.Limits.EventBurst = s.Limits.EventRate
	}
	if s.Parser == nil {
		s.Parser = s.queue
	}
	if s.Cluster.Channel == "" {
		s.Cluster.Channel = broker.DefaultChannel
	}
	if s.Cluster.QueueLimit == 0 {
		s.Cluster.QueueLimit = broker.DefaultQueueLimit
	}
	if s.Cluster.AckTimeout == 0 {
		s.Cluster.AckTimeout = defaultRemoteAckTimeout
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
	s.accept = map[string]bool{"/": true}
	for _, name := range s.Options.Namespaces {
		if name == anyName {
			s.acceptAll = true
			continue
		}
		clean, err := namespaceName(name)
		if err != nil {
			return s, fmt.Errorf("in Options.Namespaces: %w", err)
		}
		s.accept[clean] = true
	}
	return s, nil
}

// engine returns the options of the Engine.IO server below.
func (s *settings) engine(onConnect func(*engineio.Conn) (engineio.Receiver, error)) *engineio.Options {
	return &engineio.Options{
		Path:            s.Path,
		Transports:      s.Transports,
		DisableUpgrades: s.DisableUpgrades,
		PingInterval:    s.PingInterval,
		PingTimeout:     s.PingTimeout,
		UpgradeTimeout:  s.UpgradeTimeout,
		WriteTimeout:    s.WriteTimeout,
		DrainWindow:     s.DrainWindow,
		Limits: engineio.Limits{
			MaxPayload:          s.Limits.MaxPayload,
			PostBudget:          s.Limits.PostBudget,
			SendQueueLimit:      s.Limits.SendQueueLimit,
			SendBudget:          s.Limits.SendBudget,
			ControlRate:         s.Limits.ControlRate,
			MaxConnections:      s.Limits.MaxConnections,
			MaxConnectionsPerIP: s.Limits.MaxConnectionsPerIP,
		},
		ClientIP:                   s.ClientIP,
		DisableHTTPCompression:     s.DisableHTTPCompression,
		HTTPCompressionThreshold:   s.HTTPCompressionThreshold,
		PerMessageDeflate:          s.PerMessageDeflate,
		PerMessageDeflateThreshold: s.PerMessageDeflateThreshold,
		Cookie:                     s.Cookie,
		AllowedOrigins:             s.AllowedOrigins,
		AllowOrigin:                s.AllowOrigin,
		TrustForwarded:             s.TrustForwarded,
		CredentialsForAnyOrigin:    s.CredentialsForAnyOrigin,
		DisableCredentials:         s.DisableCredentials,
		Logger:                     s.Logger,
		OnConnect:                  onConnect,
	}
}
