package xds_test

import (
	"context"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"example.com/meshtui/xds"
	"example.com/meshtui/xds/xdstest"
)

// Telemetry that somebody sends to the xDS address is refused, call by call, and
// what it carries is not kept, however much it is.
func TestTelemetryFlood(t *testing.T) {
	s := serve(t, xds.Options{})
	s.Publish(revision(1, shop(t)))
	conn := dialRaw(t, s.addr)
	payload := make([]byte, 64<<10)
	methods := []string{
		"/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs",
		"/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats",
		"/envoy.service.health.v3.HealthDiscoveryService/StreamHealthCheck",
		"/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	}
	flood := func(calls int) {
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				if err := floodCall(t.Context(), conn, methods[i%len(methods)], payload); status.Code(err) != codes.Unimplemented {
					t.Errorf("%s ended with %v", methods[i%len(methods)], err)
				}
			})
		}
		wg.Wait()
	}
	flood(100)
	heap := heapInUse()
	flood(400)
	if now := heapInUse(); now > heap+4<<20 {
		t.Errorf("a heap of %d KiB has become one of %d", heap>>10, now>>10)
	}
	mustServe(t, s, 1)
}

// floodCall sends as much as it can on one call, and returns how it ended.
func floodCall(ctx context.Context, conn *grpc.ClientConn, method string, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, xdstest.Patience)
	defer cancel()
	st, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method, grpc.ForceCodec(rawCodec{}))
	if err != nil {
		return err
	}
	for range 20 {
		if st.SendMsg(&payload) != nil {
			break // with what, is told below
		}
	}
	var answer []byte
	return st.RecvMsg(&answer)
}
