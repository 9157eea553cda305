package recovery

// command is a command of the runner to a server or to the clients: one line of JSON on their
// standard input.
type command struct {
	ID int    `json:"id"`
	Do string `json:"do"`

	Plans  []Plan       `json:"plans,omitempty"`  // traffic, burst
	Count  int          `json:"count,omitempty"`  // burst
	NS     string       `json:"ns,omitempty"`     // move
	Client string       `json:"client,omitempty"` // move
	Room   string       `json:"room,omitempty"`   // move: the new room
	From   string       `json:"from,omitempty"`   // move
	Open   []clientPlan `json:"clients,omitempty"`
}

// Plan is an event that a server emits, once or repeatedly. Without Each and Rooms it goes to
// everyone.
type Plan struct {
	Event string   `json:"event"` // plain, binary, volatile, question
	NS    string   `json:"ns"`
	Each  bool     `json:"each,omitempty"`  // an event of its own to each client, by its session id
	Rooms []string `json:"rooms,omitempty"` // an event of its own to each room
	Size  int      `json:"size,omitempty"`  // bytes
	Every int      `json:"every,omitempty"` // milliseconds
}

// clientPlan is one client: sockets in some namespaces on one connection.
type clientPlan struct {
	Name       string   `json:"name"`
	URL        string   `json:"url"`
	Lib        string   `json:"lib"`
	Transports []string `json:"transports"`
	Namespaces []string `json:"namespaces"`
	Rooms      []string `json:"rooms"`
}

// The kinds of lines.
const (
	lineListening = "listening" // the process is ready; To is its address, Reason what it is
	lineDone      = "done"      // the command N has been carried out
	lineArrived   = "arrived"   // the connect handler runs
	lineJoined    = "joined"    // the client is in: it must receive what is emitted from now on to everyone and to Rooms
	lineLeft      = "left"      // the disconnect handler runs
	lineMoved     = "moved"     // the server moves the client from From to Room
	lineEmitted   = "emitted"   // number N is emitted to Client, or to To, or to everyone
	lineAnswered  = "answered"  // the question N was answered; if not rightly, Reason says why

	lineConnected    = "connected" // for the time N
	lineDisconnected = "disconnected"
	lineUpgrading    = "upgrading"
	lineCount        = "count"    // all clients together received N events
	lineReceived     = "received" // what one client received
	lineProblem      = "problem"  // what a client finds wrong by itself
)

// line is what a server or the clients report: one line of JSON on their standard output.
type line struct {
	Kind      string   `json:"kind"`
	At        int64    `json:"at,omitempty"` // microseconds, by the machine's clock
	N         int      `json:"n,omitempty"`
	Client    string   `json:"client,omitempty"`
	NS        string   `json:"ns,omitempty"`
	SID       string   `json:"sid,omitempty"`
	Recovered bool     `json:"recovered,omitempty"`
	Rooms     []string `json:"rooms,omitempty"`
	Room      string   `json:"room,omitempty"`
	From      string   `json:"from,omitempty"`
	To        string   `json:"to,omitempty"`
	Volatile  bool     `json:"volatile,omitempty"`
	Question  bool     `json:"question,omitempty"`
	Reason    string   `json:"reason,omitempty"`
	History   []span   `json:"history,omitempty"`
}

// span is a range of events of one server: its name, and the first and the last number.
type span [3]any

func (s span) server() string { name, _ := s[0].(string); return name }

func (s span) numbers() (first, last int) {
	f, _ := s[1].(float64) // encoding/json decodes numbers as float64
	l, _ := s[2].(float64)
	return int(f), int(l)
}
