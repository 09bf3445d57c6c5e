package nginx

import (
	"fmt"
	"slices"
	"strings"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/durationpb"

	"example.com/meshtui/engine/mesh"
)

// shared are the values that all routes to clusters have alike: nginx says them
// once for all of http {}. Where they differ Envoy's own stand there.
type shared struct {
	read, connect agreed
	next          agreed
	host          agreed
}

// agreed is a directive's value that all agree on so far.
type agreed struct {
	asked, many, differs bool
	value                string
	mark                 mark
}

func (a *agreed) say(value string, m mark) {
	if a.asked && a.value != value {
		a.differs = true
		return
	}
	if !a.asked {
		a.asked, a.value, a.mark = true, value, m
		return
	}
	a.many = true
	if n := len(a.mark.also); m.kind != Structure && m.from != a.mark.from && (n == 0 || a.mark.also[n-1] != m.from) {
		a.mark.also = append(a.mark.also, m.from)
	}
}

// is reports whether all agree on this value.
func (a *agreed) is(value string) bool { return a.asked && !a.differs && a.value == value }

// common reports whether more than one say it, and nobody anything else.
func (a *agreed) common() bool { return a.many && !a.differs && a.mark.kind != Structure }

// survey gathers what the routes of a configuration want.
func (s *shared) survey(p *projection, o Origin, rc *routev3.RouteConfiguration) {
	for i, vh := range rc.GetVirtualHosts() {
		for j, r := range vh.GetRoutes() {
			careful := j > 0 && notRepeated(vh.GetRoutes()[j-1], r)
			if ra := r.GetRoute(); ra != nil && (j+1 == len(vh.GetRoutes()) || !notRepeated(r, vh.GetRoutes()[j+1])) {
				s.route(p, o.at(fmt.Sprintf("virtual_hosts[%d].routes[%d].route", i, j)), vh, ra, careful)
			}
		}
	}
}

func (s *shared) route(p *projection, o Origin, vh *routev3.VirtualHost, ra *routev3.RouteAction, careful bool) {
	value, m := readTimeout(o, ra)
	s.read.say(value, m)
	alone, servers := true, 0
	literal, named := ra.GetHostRewriteLiteral(), true
	for _, name := range clustersOf(ra) {
		r := p.mesh.Get(mesh.Key{Type: mesh.Cluster, Name: name})
		if r == nil || name == "" {
			continue
		}
		c, ok := r.Message.(*clusterv3.Cluster)
		if !ok {
			continue
		}
		at := Origin{Key: r.Key}
		s.connect.say(connectTimeout(at, c.GetConnectTimeout()))
		n := p.count(at, c)
		servers = max(servers, n.servers)
		alone = alone && !n.several
		_, byName := p.named[name]
		named = named && p.names.upstream(name) == literal && !byName && len(ra.GetWeightedClusters().GetClusters()) == 0
	}
	if !alone {
		rp, at := ra.GetRetryPolicy(), o.at("retry_policy")
		if rp == nil {
			rp = vh.GetRetryPolicy()
			s.next.differs = s.next.differs || rp != nil
		}
		s.retry(at, rp, careful, servers)
	}
	if named && literal != "" {
		s.host.say("$proxy_host", exact(o.at("host_rewrite_literal")).with(lessonHostUpstream))
		return
	}
	s.host.say("", mark{})
}

// readTimeout is proxy_read_timeout for a route; Envoy's own for none.
func readTimeout(o Origin, ra *routev3.RouteAction) (string, mark) {
	switch d := ra.GetTimeout(); {
	case d == nil:
		return "15s", mark{}
	case d.AsDuration() > 0:
		return nginxTime(d), mark{from: o.at("timeout")}.approx(lessonTimeout)
	}
	if idle := ra.GetIdleTimeout(); idle.AsDuration() > 0 {
		return nginxTime(idle), exact(o.at("idle_timeout")).with(lessonNoTimeout)
	}
	return nginxTime(durationpb.New(5 * time.Minute)), exact(o.at("timeout")).with(lessonNoTimeout)
}

// connectTimeout is proxy_connect_timeout for a cluster; Envoy's own for none.
func connectTimeout(o Origin, d *durationpb.Duration) (string, mark) {
	if d == nil {
		return "5s", mark{}
	}
	return nginxTime(d), exact(o.at("connect_timeout")).with(lessonConnect)
}

// retry takes in what is retried. A policy of the virtual host stands in for the
// route's: it is no agreement, since it has lines of its own.
func (s *shared) retry(o Origin, rp *routev3.RetryPolicy, careful bool, servers int) {
	value := nextUpstream(rp, careful)
	if n := triesOf(rp, servers); n > 0 {
		value += fmt.Sprintf(" / %d", n)
	}
	m := mark{kind: Approximate, from: o.at("retry_on"), lesson: lessonRetry}
	if rp == nil {
		m = mark{}
	}
	s.next.say(value, m)
}

// nextUpstream is what proxy_next_upstream says for a policy. careful says that
// POST has a route of its own, with fewer retries.
func nextUpstream(rp *routev3.RetryPolicy, careful bool) string {
	var words []string
	say := func(list string) {
		for w := range strings.FieldsSeq(list) {
			if !slices.Contains(words, w) {
				words = append(words, w)
			}
		}
	}
	sent := false // something is repeated that the upstream may have acted on
	for condition := range strings.SplitSeq(rp.GetRetryOn(), ",") {
		condition = strings.TrimSpace(condition)
		sent = sent || condition != "connect-failure" && condition != "refused-stream" && condition != ""
		if known, ok := retryConditions[condition]; ok {
			say(known)
		} else if condition != "" {
			say("error timeout")
		}
	}
	for _, code := range rp.GetRetriableStatusCodes() {
		if retriableStatus[code] && strings.Contains(rp.GetRetryOn(), "retriable-status-codes") {
			say(fmt.Sprintf("http_%d", code))
		}
	}
	if len(words) == 0 {
		return "off"
	}
	if sent && !careful {
		say("non_idempotent")
	}
	return strings.Join(words, " ")
}

// triesOf is proxy_next_upstream_tries; 0 where it is as many as there are servers,
// as nginx has it.
func triesOf(rp *routev3.RetryPolicy, servers int) uint64 {
	if rp == nil || strings.TrimSpace(rp.GetRetryOn()) == "" {
		return 0
	}
	n := uint64(2)
	if rp.GetNumRetries() != nil {
		n = uint64(rp.GetNumRetries().GetValue()) + 1
	}
	if servers > 1 && n == uint64(servers) {
		return 0
	}
	return n
}

// counted is how many servers nginx sees in a cluster.
type counted struct {
	servers int
	several bool // more than one, or there may be
}

// count counts a cluster's servers, once.
func (p *projection) count(o Origin, c *clusterv3.Cluster) counted {
	if n, ok := p.counted[c.GetName()]; ok {
		return n
	}
	mem, _ := p.members(o, c)
	all := serversOf(mem, resolves(c))
	n := counted{len(all), several(all)}
	p.counted[c.GetName()] = n
	return n
}
