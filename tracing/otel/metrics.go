package otel

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seed-d124fa34/socketio"
	"github.com/seed-d124fa34/socketio/internal/observe"
)

// observeServer registers an instrument for each figure of the server. The meter reads them when it
// collects.
func observeServer(meter metric.Meter, srv *socketio.Server) (metric.Registration, error) {
	observed := make(map[*observe.Metric]metric.Int64Observable)
	var all []metric.Observable
	var failed []error
	for _, m := range observe.Metrics {
		var o metric.Int64Observable
		var err error
		name, unit, help := "socketio."+m.Name, metric.WithUnit(m.Unit), metric.WithDescription(m.Help)
		if m.Total {
			o, err = meter.Int64ObservableCounter(name, unit, help)
		} else {
			o, err = meter.Int64ObservableUpDownCounter(name, unit, help)
		}
		observed[m] = o
		all = append(all, o)
		failed = append(failed, err)
	}
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		observe.Read(srv, func(m *observe.Metric, label string, value int64) {
			var attrs []attribute.KeyValue
			switch m.Label {
			case "":
			case "namespace":
				attrs = append(attrs, semconv.MessagingDestinationName(label))
			default:
				attrs = append(attrs, attribute.String("socketio."+m.Label, label))
			}
			to.ObserveInt64(observed[m], value, metric.WithAttributes(attrs...))
		})
		return nil
	}, all...)
}
