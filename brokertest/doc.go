// Package brokertest checks implementations of [broker.Broker], and has one
// for tests: [Memory]. The test of a broker is a call of [Run]:
//
//	func TestBroker(t *testing.T) {
//		service := startService(t) // the real one, on a free port
//		brokertest.Run(t, brokertest.Service{
//			Connect: func(t *testing.T) broker.Broker { return newBroker(t, service.URL) },
//			Stop:    service.Stop,
//			Start:   service.Start,
//		})
//	}
//
// A broker that is a [broker.History] is checked by [RunHistory] as well, and one that is
// a [broker.RecordStore] by [RunRecords].
package brokertest
