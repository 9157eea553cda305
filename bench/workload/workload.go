// Package workload is what the load generator and the servers agree on: the
// events, and what is in them.
package workload

import (
	"encoding/json"
	"strings"
)

// The events that the servers handle. Echo, EchoJSON and EchoBinary acknowledge
// with their argument; so does EchoRaw, which only servers of this repository know,
// without decoding it. Join, with a room's name, is acknowledged with nothing.
// Broadcast emits its argument to everyone, Room (room, text) to a room, both as
// the event Message.
const (
	Echo       = "echo"
	EchoJSON   = "json"
	EchoBinary = "binary"
	EchoRaw    = "json-raw"
	Join       = "join"
	Broadcast  = "broadcast"
	Room       = "room"
	Message    = "msg"
)

// RedisEnv names the variable of the environment with the URL of the Redis that
// the servers of one application share.
const RedisEnv = "BENCH_REDIS"

// TLSEnv names the variable of the environment with the folder of a certificate and its key. A
// server that has it serves with TLS.
const (
	TLSEnv   = "BENCH_TLS"
	CertFile = "cert.pem"
	KeyFile  = "key.pem"
)

// Text is the argument of text events: 64 bytes that JSON does not escape.
var Text = strings.Repeat("The quick brown fox jumps over it", 2)[:64]

// Binary is the attachment of binary events.
var Binary = []byte(Text)

// Order is the object of EchoJSON, which typed servers decode into this.
type Order struct {
	ID       int64     `json:"id"`
	Customer string    `json:"customer"`
	Email    string    `json:"email"`
	Paid     bool      `json:"paid"`
	Total    float64   `json:"total"`
	Note     string    `json:"note"`
	Tags     []string  `json:"tags"`
	Items    []Item    `json:"items"`
	Scores   []float64 `json:"scores"`
}

// Item is a line of an Order.
type Item struct {
	SKU      string  `json:"sku"`
	Title    string  `json:"title"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

// OrderJSON is an Order of 1 KiB, encoded.
var OrderJSON = func() []byte {
	o := Order{
		ID: 20260417, Customer: "Ada Byron", Email: "ada@example.org", Paid: true, Total: 1249.75,
		Tags:   []string{"priority", "gift", "returning"},
		Scores: []float64{0.25, 0.5, 0.75, 1.5, 12.125},
	}
	for range 8 {
		o.Items = append(o.Items, Item{SKU: "SKU-000417", Title: "Analytical engine, small", Quantity: 3, Price: 52.25})
	}
	encoded := encode(o)
	o.Note = strings.Repeat("n", 1024-len(encoded))
	return encode(o)
}()

func encode(o Order) []byte {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // a struct of strings and numbers can be encoded
	}
	return b
}
