package broker

import (
	"context"
	"errors"
	"time"
)

// ErrTaken: a record has been taken, or belongs to another server. See [RecordStore].
var ErrTaken = errors.New("socketio: the record has been taken by another server")

// RecordStore is a Broker that also keeps records for servers: small values by their
// keys, each for a limited time. With one that is a [History] as well, a server writes
// down the sessions of its clients (socketio.Options.Recovery), so that another one can
// go on with them if the first one is killed.
//
// Each record has an owner, who may write it. Another server takes it with TakeRecord, and
// is the owner from then on. All methods may be called from any goroutine. They return when
// the service has done what they say, and an error wraps [ErrClosed] after Close. After
// any other error nobody knows whether it has, and the call can be repeated.
type RecordStore interface {
	Broker

	// PutRecords writes records. For each it sets Owner, if that was empty, or Taken. It
	// keeps none of the slices. A record is kept for ttl after it has been written, or
	// somewhat longer.
	PutRecords(ctx context.Context, records []*Record, ttl time.Duration) error
	// TakeRecord takes a record away from whoever wrote it: of several calls at once, on
	// any server, one gets it. The error wraps ErrTaken if somebody has taken it before
	// and written nothing since. A nil value without an error means that there is no such
	// record. The owner is for a PutRecords of the taker.
	TakeRecord(ctx context.Context, key string, ttl time.Duration) (value []byte, owner string, err error)
	// DeleteRecords deletes records that still have their Owner. It leaves the others,
	// and those that are not there, as they are. Values are ignored.
	DeleteRecords(ctx context.Context, records []*Record) error
}

// Record is a value of a [RecordStore].
type Record struct {
	// Key has 1 to 100 characters: letters, digits, "-" and "_".
	Key   string
	Value []byte // not empty
	// Owner is what PutRecords has set, or TakeRecord has returned: the record is written only
	// if it still has that owner, or is not there any more. Empty is for a server that has
	// not written the record before: it is written, whoever has written it, unless it has been
	// taken by TakeRecord.
	Owner string
	// Taken: somebody else is the owner. PutRecords sets it.
	Taken bool
}
