package merge_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	httprbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	nginxconf "example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// byNginx is what nginx does, and whether the report tells of a line that decides.
func byNginx(c *nginxconf.Config, a predict.Answer, told map[int]bool) did {
	out := did{known: a.Action != predict.Unknown && a.Action != predict.Static && len(a.Caveats) == 0}
	for d := a.Location; d != nil; d = d.Parent {
		out.reported = out.reported || told[d.Line] || slices.ContainsFunc(d.Block, func(in *nginxconf.Directive) bool { return !in.IsBlock && told[in.Line] })
	}
	for d := a.Server; d != nil; d = d.Parent {
		out.reported = out.reported || told[d.Line] || slices.ContainsFunc(d.Block, func(in *nginxconf.Directive) bool { return !in.IsBlock && told[in.Line] })
	}
	for _, step := range a.Steps { // a location that leads to a named one
		out.reported = out.reported || step.Kind == "location" && step.At != nil && slices.ContainsFunc(step.At.Block, func(in *nginxconf.Directive) bool { return told[in.Line] })
	}
	switch a.Action {
	case predict.Closed:
		out.status = -1
	case predict.Proxy:
		scheme := "http"
		if a.Location != nil && len(a.Location.Children("proxy_pass")) > 0 && strings.HasPrefix(a.Location.Children("proxy_pass")[0].Arg(0), "https:") {
			scheme = "https"
		}
		var to []string
		for _, s := range a.Split {
			to = append(to, fmt.Sprintf("%.1f%% %s", s.Percent, membersOf(c, s.Upstream)))
		}
		if len(to) == 0 {
			to = []string{membersOf(c, a.Upstream)}
		}
		connect := "60s"
		for _, d := range nginxconf.Inherited(a.Location, c.Main, "proxy_connect_timeout") {
			connect = d.Arg(0)
		}
		slices.Sort(to)
		if len(a.Split) > 0 {
			connect = "" // each cluster has its own
		}
		out.to, out.path, out.host = scheme+" within "+connect+" "+strings.Join(to, ", "), strings.TrimSuffix(a.Sent, "?"), a.Host
	default:
		out.status, out.location, out.body = a.Status, pathOf(a.Redirect), ""
		if a.Status == 200 {
			out.body = a.Body
		}
	}
	return out
}

// pathOf is a Location without what the two spell otherwise: scheme and host of
// their own.
func pathOf(location string) string {
	if _, rest, ok := strings.Cut(location, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:]
		}
	}
	return location
}

// membersOf are the servers of an upstream that nginx asks.
func membersOf(c *nginxconf.Config, name string) string {
	var out []string
	for d := range c.All() {
		if d.Name != "upstream" || !strings.EqualFold(d.Arg(0), name) {
			continue
		}
		for _, s := range d.Children("server") {
			if s.Flag("down") {
				continue
			}
			weight, _ := s.Parameter("weight")
			out = append(out, s.Arg(0)+" "+orOne(weight)+backup(s.Flag("backup")))
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	return name + " 1"
}

func orOne(weight string) string {
	if weight == "" {
		return "1"
	}
	return weight
}

func backup(is bool) string {
	if is {
		return " backup"
	}
	return ""
}

// byEnvoy is what Envoy does.
func byEnvoy(m *mesh.Mesh, w match.Way) did {
	out := did{known: w.Action != match.Undecided}
	if w.Matched {
		rules, ok := access(w)
		switch {
		case !ok:
		case len(rules.GetPolicies()) == 1 && rules.GetAction() == rbacv3.RBAC_DENY && rules.GetPolicies()["access"].GetPrincipals()[0].GetAny():
			out.status = 403
			return out
		default:
			out.known = false // it asks who the client is
		}
	}
	switch w.Action {
	case match.NoListener, match.NoFilterChain:
		out.status = -1
	case match.Forward:
		total := uint32(0)
		for _, c := range w.Weighted {
			total += c.Weight
		}
		var to []string
		connect, scheme := "", ""
		for _, c := range w.Weighted {
			scheme, _ = connecting(m, c.Name)
			to = append(to, fmt.Sprintf("%.1f%% %s", 100*float64(c.Weight)/float64(total), endpointsOf(m, c.Name)))
		}
		if len(to) == 0 {
			scheme, connect = connecting(m, w.Cluster)
			to = []string{endpointsOf(m, w.Cluster)}
		}
		slices.Sort(to)
		out.to, out.path, out.host = scheme+" within "+connect+" "+strings.Join(to, ", "), strings.TrimSuffix(w.Path, "?"), w.Host
	default:
		out.status, out.location = w.Status, pathOf(w.Location)
		if w.Status == 200 {
			out.body = w.Body
		}
	}
	return out
}

// access are the rules about who may ask a route.
func access(w match.Way) (*rbacv3.RBAC, bool) {
	for _, in := range []map[string]*anypb.Any{w.Entry.GetTypedPerFilterConfig(), w.VHost.GetTypedPerFilterConfig()} {
		if c := in["envoy.filters.http.rbac"]; c != nil {
			rules := &httprbacv3.RBACPerRoute{}
			err := c.UnmarshalTo(rules)
			return rules.GetRbac().GetRules(), err == nil && rules.GetRbac().GetRules() != nil
		}
	}
	return nil, false
}

func connecting(m *mesh.Mesh, name string) (scheme, connect string) {
	scheme, connect = "http", "5s"
	r := m.Get(mesh.Key{Type: mesh.Cluster, Name: name})
	if r == nil {
		return "no cluster", ""
	}
	c, _ := r.Message.(*clusterv3.Cluster)
	if c.GetTransportSocket() != nil {
		scheme = "https"
	}
	if d := c.GetConnectTimeout(); d != nil {
		connect = fmt.Sprintf("%ds", d.GetSeconds())
	}
	return scheme, connect
}

func endpointsOf(m *mesh.Mesh, name string) string {
	r := m.Get(mesh.Key{Type: mesh.Cluster, Name: name})
	if r == nil {
		return "no cluster " + name
	}
	c, _ := r.Message.(*clusterv3.Cluster)
	cla := c.GetLoadAssignment()
	if c.GetType() == clusterv3.Cluster_EDS {
		service := c.GetEdsClusterConfig().GetServiceName()
		if service == "" {
			service = name
		}
		if r := m.Get(mesh.Key{Type: mesh.Endpoints, Name: service}); r != nil {
			cla, _ = r.Message.(*endpointv3.ClusterLoadAssignment)
		}
	}
	var out []string
	for _, l := range cla.GetEndpoints() {
		for _, e := range l.GetLbEndpoints() {
			if e.GetHealthStatus().String() == "DRAINING" {
				continue
			}
			a := e.GetEndpoint().GetAddress().GetSocketAddress()
			out = append(out, fmt.Sprintf("%s:%d %d%s", a.GetAddress(), a.GetPortValue(), max(1, e.GetLoadBalancingWeight().GetValue()), backup(l.GetPriority() > 0)))
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func diffLines(a, b string) string {
	var out strings.Builder
	have := map[string]int{}
	for l := range strings.Lines(a) {
		have[strings.TrimSpace(l)]++
	}
	for l := range strings.Lines(b) {
		mark := "  "
		if have[strings.TrimSpace(l)]--; have[strings.TrimSpace(l)] < 0 {
			mark = "+ "
		}
		out.WriteString(mark + l)
	}
	for _, l := range slices.Sorted(maps.Keys(have)) {
		for range have[l] {
			out.WriteString("- " + l + "\n")
		}
	}
	return out.String()
}
