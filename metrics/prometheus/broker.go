package prometheus

import (
	client "github.com/prometheus/client_golang/prometheus"

	"github.com/seed-d124fa34/socketio"
)

var (
	brokerConnected    = describe("broker_connected", "1 while messages go to the other servers and come from them, else 0.")
	brokerOutages      = describe("broker_outages_total", "How often the connection with the broker was lost.")
	brokerWaiting      = describe("broker_queue_messages", "Messages that wait to be published.")
	brokerWaitingBytes = describe("broker_queue_bytes", "Bytes of the messages that wait to be published.")
	brokerPublished    = describe("broker_messages_published_total", "Messages published.")
	brokerReceived     = describe("broker_messages_received_total", "Messages received from other servers.")
	brokerDropped      = describe("broker_messages_dropped_total", "Messages not published because the broker was away or too slow.")
	brokerIgnored      = describe("broker_messages_ignored_total", "Messages on the channel that could not be used.")
)

// collectBroker collects nothing for a server without a broker, whose status is
// all zero.
func collectBroker(ch chan<- client.Metric, st socketio.BrokerStatus) {
	if st.Since.IsZero() {
		return
	}
	connected := 0.
	if st.Connected {
		connected = 1
	}
	for d, v := range map[*client.Desc]float64{
		brokerConnected: connected, brokerWaiting: float64(st.Waiting), brokerWaitingBytes: float64(st.WaitingBytes),
	} {
		ch <- client.MustNewConstMetric(d, client.GaugeValue, v)
	}
	for d, v := range map[*client.Desc]uint64{
		brokerOutages: st.Outages, brokerPublished: st.Published, brokerReceived: st.Received,
		brokerDropped: st.Dropped, brokerIgnored: st.Ignored,
	} {
		ch <- client.MustNewConstMetric(d, client.CounterValue, float64(v))
	}
}
