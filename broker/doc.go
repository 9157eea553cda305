// Package broker has what connects several Socket.IO servers to one application:
// the interface that message brokers implement, its errors, and the state of the
// connection.
//
// Programs that use a broker do not need this package: they take an
// implementation, brokers/redis or brokers/nats, and give it to
// socketio.Options. To implement one, start with this package, and check it with package
// brokertest:
//
//   - [Broker] is required. It publishes and subscribes.
//   - [BatchBroker] is for services that take several messages at once for less.
//   - [History] is for services that keep messages: a server that was cut off gets what
//     it missed.
//   - [RecordStore] is for services that also keep values by keys: the sessions of a server
//     that was killed go on on another one.
//
// What a broker can do beyond that it says by implementing further interfaces of
// this package; a server looks for them when it starts.
package broker
