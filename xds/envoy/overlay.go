package envoy

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	filesinkv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/health_check/event_sinks/file/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/mesh"
)

// PortStep is how far the listener ports of one local Envoy lie above those of
// the one before it.
const PortStep = 100

// overlay is what is added to resources for one local Envoy.
type overlay struct {
	shift  uint32 // added to every listener port
	events bool   // health check events go to EventPipe
}

// apply returns m itself when there is nothing to add, else a changed clone.
func (o overlay) apply(_ mesh.Type, m proto.Message) proto.Message {
	switch m := m.(type) {
	case *listenerv3.Listener:
		return o.listener(m)
	case *clusterv3.Cluster:
		return o.cluster(m)
	}
	return m
}

// listener moves the ports, and has Envoy say that a port is taken: with
// SO_REUSEPORT, its default, two Envoys of one user share a port silently.
func (o overlay) listener(l *listenerv3.Listener) proto.Message {
	exclusive := l.GetEnableReusePort() == nil && isTCP(l)
	if !exclusive && o.shift == 0 {
		return l
	}
	clone := proto.CloneOf(l)
	if exclusive {
		clone.EnableReusePort = wrapperspb.Bool(false)
	}
	o.move(clone.GetAddress())
	for _, more := range clone.GetAdditionalAddresses() {
		o.move(more.GetAddress())
	}
	return clone
}

// move adds the shift to a fixed port; port 0 lets the system choose.
func (o overlay) move(a *corev3.Address) {
	socket := a.GetSocketAddress()
	if port, ok := socket.GetPortSpecifier().(*corev3.SocketAddress_PortValue); ok && port.PortValue != 0 {
		port.PortValue += o.shift
	}
}

func isTCP(l *listenerv3.Listener) bool {
	socket := l.GetAddress().GetSocketAddress()
	return socket != nil && socket.GetProtocol() == corev3.SocketAddress_TCP
}

// cluster has every active health check report its results through the pipe.
func (o overlay) cluster(c *clusterv3.Cluster) proto.Message {
	if !o.events || len(c.GetHealthChecks()) == 0 {
		return c
	}
	sink, err := anypb.New(&filesinkv3.HealthCheckEventFileSink{EventLogPath: EventPipe})
	if err != nil { // a message of two fields always marshals
		return c
	}
	clone := proto.CloneOf(c)
	for _, check := range clone.GetHealthChecks() {
		check.EventLogger = append(check.EventLogger, &corev3.TypedExtensionConfig{
			Name: "envoy.health_check.event_sink.file", TypedConfig: sink,
		})
		check.AlwaysLogHealthCheckFailures = true
	}
	return clone
}
