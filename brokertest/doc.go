// Package brokertest tests implementations of [broker.Broker]. It also has a broker for
// tests, [Memory]. The test of a broker calls [Run]:
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
// Call [RunHistory] as well for a broker that is a [broker.History], and [RunRecords] for
// one that is a [broker.RecordStore].
package brokertest
