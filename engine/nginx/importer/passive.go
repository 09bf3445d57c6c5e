package importer

import (
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// passive is max_fails and fail_timeout: outlier detection that counts what fails
// on the way, as nginx does, and takes out as many as fail. nginx does not count
// where there is one server alone, and Envoy would take that one out.
func (im *importer) passive(p *pool, members []member) {
	if !p.several {
		return
	}
	var first, other *member
	for i, m := range members {
		switch {
		case m.fails == 0:
		case first == nil:
			first = &members[i]
		case other == nil && !m.down && (m.fails != first.fails || m.timeout != first.timeout):
			other = &members[i]
		}
	}
	if first == nil {
		return
	}
	for _, m := range members {
		if m.fails == 0 {
			im.approx(m.d, at(p.cluster, "outlier_detection"), "max_fails=0 cannot be said of one endpoint alone: this one is taken out like the others", "give it an upstream of its own")
		}
	}
	if other != nil {
		im.approx(other.d, at(p.cluster, "outlier_detection"), "Envoy has one max_fails and one fail_timeout for the whole cluster: those of the first server", "")
	}
	p.fails = first.fails
	hold := max(first.timeout, time.Millisecond)
	p.cluster.OutlierDetection = &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors:         true,
		ConsecutiveLocalOriginFailure:          wrapperspb.UInt32(first.fails),
		EnforcingConsecutiveLocalOriginFailure: wrapperspb.UInt32(100),
		EnforcingConsecutive_5Xx:               wrapperspb.UInt32(0),
		EnforcingSuccessRate:                   wrapperspb.UInt32(0),
		EnforcingLocalOriginSuccessRate:        wrapperspb.UInt32(0),
		Interval:                               lasting(min(hold, time.Second)),
		BaseEjectionTime:                       lasting(hold),
		MaxEjectionTime:                        lasting(hold), // it grows with each time otherwise
		MaxEjectionPercent:                     wrapperspb.UInt32(100),
	}
	// Without these Envoy forgets an ejection in the second after it, and sends to
	// those that it has taken out once they are more than half.
	common(p.cluster).UpdateMergeWindow = &durationpb.Duration{}
	im.calm(p)
	for _, m := range members {
		_, fails := m.d.Parameter("max_fails")
		_, timeout := m.d.Parameter("fail_timeout")
		if m.fails > 1 && (fails || timeout) {
			im.approx(m.d, at(p.cluster, "outlier_detection"), "nginx counts failures within fail_timeout, Envoy failures in a row: a server that fails every second time stays", "")
		} else if fails || timeout {
			im.exact(m.d, at(p.cluster, "outlier_detection"))
		}
	}
}

// connections is what an upstream says of its connections.
func (im *importer) connections(d *conf.Directive, p *pool, members []member) {
	for _, in := range d.Block {
		switch in.Name {
		case "keepalive":
			im.moot(in) // Envoy keeps connections by itself, as many as it had to open
		case "keepalive_timeout":
			p.keep.idle, p.keep.idleAt = im.period(in, 60*time.Second), in
			im.claimed[in] = true
		case "keepalive_requests":
			p.keep.requests, p.keep.countAt = count(in.Arg(0), 1000), in
			im.claimed[in] = true
		case "keepalive_time":
			im.none(in, "Envoy bounds the age of a connection to the upstream in another place", "set max_connection_duration in the cluster's HttpProtocolOptions")
		case "zone":
			im.moot(in) // Envoy's workers share what they know of an endpoint
		}
	}
	var most uint32
	var by *conf.Directive
	for _, m := range members {
		if m.conns > most {
			most, by = m.conns, m.d
		}
	}
	if by != nil {
		p.cluster.CircuitBreakers = &clusterv3.CircuitBreakers{PerHostThresholds: []*clusterv3.CircuitBreakers_Thresholds{{MaxConnections: wrapperspb.UInt32(most)}}}
		im.approx(by, at(p.cluster, "circuit_breakers.per_host_thresholds[0].max_connections"), "max_conns is one number for all endpoints of an Envoy cluster, and each Envoy worker counts for itself", "")
	}
}

// plus is what nginx Plus alone has in an upstream.
func (im *importer) plus(d *conf.Directive, p *pool) {
	for _, in := range d.Block {
		switch in.Name {
		case "queue":
			if p.cluster.CircuitBreakers == nil {
				p.cluster.CircuitBreakers = &clusterv3.CircuitBreakers{}
			}
			p.cluster.CircuitBreakers.Thresholds = []*clusterv3.CircuitBreakers_Thresholds{{Priority: corev3.RoutingPriority_DEFAULT, MaxPendingRequests: wrapperspb.UInt32(count(in.Arg(0), 1024))}}
			im.approx(in, at(p.cluster, "circuit_breakers.thresholds[0].max_pending_requests"), "Envoy lets a request wait for a connection until connect_timeout; the queue has no time of its own", "")
		case "ntlm":
			im.none(in, "Envoy sends requests of several clients over one connection, and NTLM is bound to a connection", "use the connection_pool_per_downstream_connection of the cluster")
		case "state":
			im.none(in, "the servers stand in a file that nginx Plus writes itself", "add the endpoints to "+p.endpoints.GetClusterName()+": in Envoy EDS is what changes them")
		case "resolver", "resolver_timeout":
			im.moot(in) // read where the names are
		}
	}
}
