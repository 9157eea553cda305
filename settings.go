package socketio

import (
	"cmp"
	"errors"
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

// settings are Options that have been checked and completed.
type settings struct {
	Options
	accept    map[string]bool // namespaces that need no handlers
	acceptAll bool            // Options.Namespaces has "*"
	queue     parser.Parser   // JSON, for the broker
	stall     time.Duration   // how long no handler of a backlog may return: as long as a client may be silent
	ownParser bool            // Options.Parser is set, so packets differ from what queue encodes
}

// complete copies o, checks it, and sets all defaults but those of the engine.
func (o *Options) complete() (settings, error) {
	var s settings
	if o != nil {
		s.Options = *o
	}
	for _, check := range []func() error{s.checkLimits, s.checkCluster, s.checkRest} {
		if err := check(); err != nil {
			return s, err
		}
	}
	if err := s.acceptNamespaces(); err != nil {
		return s, err
	}
	s.setDefaults()
	return s, nil
}

func (s *settings) checkLimits() error {
	for _, n := range []struct {
		name  string
		value int
	}{
		{"Limits.ReceiveQueueLimit", s.Limits.ReceiveQueueLimit},
		{"Limits.AsyncLimit", s.Limits.AsyncLimit},
		{"Limits.ControlRate", s.Limits.ControlRate},
		{"Limits.MaxNamespaces", s.Limits.MaxNamespaces},
		{"Limits.MaxRooms", s.Limits.MaxRooms},
		{"Limits.MaxPendingAcks", s.Limits.MaxPendingAcks},
		{"Limits.EventRate", s.Limits.EventRate},
		{"Limits.EventBurst", s.Limits.EventBurst},
		{"Cluster.QueueLimit", s.Cluster.QueueLimit},
		{"Cluster.ReplayLimit", s.Cluster.ReplayLimit},
	} {
		if n.value < 0 {
			return fmt.Errorf("field Options.%s is %d: set a positive number, or leave it 0 for the default", n.name, n.value)
		}
	}
	if s.Limits.EventBurst > 0 && s.Limits.EventRate == 0 {
		return errors.New("field Options.Limits.EventBurst is set without EventRate: set EventRate to the events a second that a client may send")
	}
	if s.Limits.EventRate > maxEventRate || s.Limits.EventBurst > maxEventRate || s.Limits.ControlRate > maxEventRate {
		return fmt.Errorf("fields Options.Limits.EventRate, EventBurst and ControlRate can be at most %d; 0 means no limit", maxEventRate)
	}
	return nil
}

func (s *settings) checkCluster() error {
	c := &s.Cluster
	if c.AckTimeout < 0 {
		return fmt.Errorf("field Options.Cluster.AckTimeout is %v: set a positive duration, or leave it 0 for the default", c.AckTimeout)
	}
	if c.Broker == nil && (c.Channel != "" || c.QueueLimit+c.ReplayLimit > 0 || c.AckTimeout > 0 || c.PeerURL != "") {
		return errors.New("options for a broker are set, but Options.Cluster.Broker is nil: set it, or remove Channel, QueueLimit, ReplayLimit, AckTimeout and PeerURL")
	}
	return s.checkPeerURL()
}

func (s *settings) checkRest() error {
	if s.DrainTimeout < 0 {
		return fmt.Errorf("field Options.DrainTimeout is %v: set a positive duration, or leave it 0 for the default of %v", s.DrainTimeout, defaultDrainTimeout)
	}
	if s.JSON != nil && s.Parser != nil {
		return errors.New("both Options.JSON and Options.Parser are set: give the codec to the parser, and set Parser only")
	}
	return nil
}

// acceptNamespaces sets accept and acceptAll from Options.Namespaces.
func (s *settings) acceptNamespaces() error {
	s.accept = map[string]bool{"/": true}
	for _, name := range s.Options.Namespaces {
		if name == anyName {
			s.acceptAll = true
			continue
		}
		clean, err := namespaceName(name)
		if err != nil {
			return fmt.Errorf("in Options.Namespaces: %w", err)
		}
		s.accept[clean] = true
	}
	return nil
}

func (s *settings) setDefaults() {
	s.Path = cmp.Or(s.Path, defaultPath)
	if !strings.HasPrefix(s.Path, "/") {
		s.Path = "/" + s.Path
	}
	if !strings.HasSuffix(s.Path, "/") {
		s.Path += "/"
	}
	s.ConnectTimeout = cmp.Or(s.ConnectTimeout, defaultConnectTimeout)
	s.DrainTimeout = cmp.Or(s.DrainTimeout, defaultDrainTimeout)
	s.stall = cmp.Or(s.PingInterval, defaultPingInterval) + cmp.Or(s.PingTimeout, defaultPingTimeout)

	l := &s.Limits
	l.SendQueueLimit = cmp.Or(l.SendQueueLimit, defaultSendQueueLimit)
	l.ReceiveQueueLimit = cmp.Or(l.ReceiveQueueLimit, defaultReceiveQueueLimit)
	l.ControlRate = cmp.Or(l.ControlRate, defaultControlRate)
	l.AsyncLimit = cmp.Or(l.AsyncLimit, defaultAsyncLimit)
	l.MaxNamespaces = cmp.Or(l.MaxNamespaces, defaultMaxNamespaces)
	l.MaxRooms = cmp.Or(l.MaxRooms, defaultMaxRooms)
	l.MaxPendingAcks = cmp.Or(l.MaxPendingAcks, defaultMaxPendingAcks)
	l.EventBurst = cmp.Or(l.EventBurst, l.EventRate)

	c := &s.Cluster
	c.Channel = cmp.Or(c.Channel, broker.DefaultChannel)
	c.QueueLimit = cmp.Or(c.QueueLimit, broker.DefaultQueueLimit)
	c.AckTimeout = cmp.Or(c.AckTimeout, defaultRemoteAckTimeout)

	s.ownParser = s.Parser != nil
	s.queue = parser.New(s.JSON)
	if s.Parser == nil {
		s.Parser = s.queue
	}
	if s.Logger == nil {
		s.Logger = slog.Default()
	}
}

// engine returns the options of the Engine.IO server.
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
