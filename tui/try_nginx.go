package tui

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// Foreteller says what nginx does with a request; *predict.Server is one.
type Foreteller interface {
	Answer(predict.Request) predict.Answer
}

// foretold is what nginx would do with a request, beside what Envoy does.
type foretold struct {
	by     *likeNginx
	answer predict.Answer
	parts  []parting

	also  *foretold // by the projection, where this is by the operator's own file
	stale bool      // and that file and the mesh no longer say the same
}

// parting is one thing in which the two differ.
type parting struct {
	says string
	at   *conf.Directive // of the nginx.conf; nil for none
}

// askNginx has it foretold what nginx does: by the operator's own file where there
// is one, and by the projection of the mesh.
func (f *forecast) askNginx(asked *routing, read func() *OwnNginx) {
	like := asked.likeNginx()
	f.nginx, f.noNginx = like.foretell(&f.request, &f.Way, asked.mesh), like.wrong
	if read == nil {
		return
	}
	own := read()
	switch {
	case own == nil:
	case own.Wrong != "":
		f.unread = own.Wrong
	default:
		mine := asked.likeOwn(own).foretell(&f.request, &f.Way, asked.mesh)
		mine.also, mine.stale = f.nginx, !own.same(asked.mesh)
		f.nginx, f.noNginx = mine, ""
	}
}

// foretell asks nginx's ways for the request that Envoy's were asked; nil where
// nothing can be said.
func (n *likeNginx) foretell(r *match.Request, way *match.Way, m *mesh.Mesh) *foretold {
	if n == nil || n.server == nil {
		return nil
	}
	f := &foretold{by: n, answer: n.server.Answer(nginxRequest(r, way, m))}
	f.parts = f.compare(way)
	return f
}

// nginxRequest is a request as nginx gets it: at the address of the listener that
// takes it in Envoy.
func nginxRequest(r *match.Request, way *match.Way, m *mesh.Mesh) predict.Request {
	out := predict.Request{Address: r.Address, Port: r.Port, TLS: r.TLS, SNI: r.SNI, Method: r.Method, Host: r.Host, Target: r.Path, HTTP10: r.HTTP10}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, [2]string{h.Name, h.Value})
	}
	for i := range way.Steps {
		if way.Steps[i].Kind != "listener" {
			continue
		}
		res := m.Get(way.Steps[i].Key)
		if res == nil {
			continue
		}
		if l, ok := res.Message.(*listenerv3.Listener); ok {
			at := l.GetAddress().GetSocketAddress()
			out.Port = at.GetPortValue()
			if ip, err := netip.ParseAddr(at.GetAddress()); err == nil && !ip.IsUnspecified() {
				out.Address = ip
			}
		}
	}
	return out
}

// compare says in what the two part, the most telling first.
func (f *foretold) compare(way *match.Way) []parting {
	a := &f.answer
	if a.Action == predict.Unknown {
		return nil
	}
	at := cmp.Or(a.Location, a.Server)
	k, path, name, routed := routeStep(way)
	elsewhere := routed && a.Location != nil && !f.by.text.mirrors(a, k, path)
	here, there := f.end(), envoyEnd(way)
	switch {
	case elsewhere && !f.sameEnd(way):
		return []parting{{fmt.Sprintf("nginx: %s, %s; Envoy: route %s, %s", a.Location, here, name, there), at}}
	case !f.sameEnd(way):
		return []parting{{fmt.Sprintf("nginx: %s; Envoy: %s", here, there), at}}
	case elsewhere:
		return []parting{{fmt.Sprintf("nginx takes %s, Envoy route %s", a.Location, name), at}}
	case a.Action != predict.Proxy || way.Action != match.Forward || way.Status != 0:
		return nil
	}
	var out []parting
	if a.Sent != "" && a.Sent != way.Path {
		out = append(out, parting{fmt.Sprintf("the upstream gets %s from nginx, %s from Envoy", a.Sent, way.Path), at})
	}
	if a.Host != "" && !strings.EqualFold(a.Host, way.Host) {
		out = append(out, parting{fmt.Sprintf("the upstream gets the Host %s from nginx, %s from Envoy", a.Host, way.Host), at})
	}
	return out
}

// otherwise says what the projection does with the request where that is not what
// the operator's own file does; "" where it is, or nothing can be said.
func (f *foretold) otherwise() string {
	p := f.also
	if p == nil || p.answer.Action == predict.Unknown || f.answer.Action == predict.Unknown {
		return ""
	}
	mine, theirs := &f.answer, &p.answer
	sorted := func(in *foretold) []string {
		var out []string
		for _, u := range in.upstreams() {
			out = append(out, in.by.clusters(u)...)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	switch {
	case mine.Action == predict.Proxy && theirs.Action == predict.Proxy:
		shared := slices.ContainsFunc(sorted(f), func(c string) bool { return slices.Contains(sorted(p), c) })
		if shared && mine.Sent == theirs.Sent && strings.EqualFold(mine.Host, theirs.Host) {
			return ""
		}
		return "to " + strings.Join(sorted(p), ", ") + " as " + theirs.Host + theirs.Sent
	case mine.Action != predict.Proxy && theirs.Action != predict.Proxy && mine.Status == theirs.Status && mine.Redirect == theirs.Redirect:
		return ""
	}
	return p.end()
}

// routeStep is where the route stands that takes a request in Envoy, and what it
// is called.
func routeStep(way *match.Way) (k mesh.Key, path, name string, ok bool) {
	for i := range way.Steps {
		if s := &way.Steps[i]; s.Kind == "route" {
			return s.Key, s.Path, s.Name, way.Matched
		}
	}
	return mesh.Key{}, "", "", false
}

// sameEnd reports whether both end alike: in the same answer, or at the same
// clusters.
func (f *foretold) sameEnd(way *match.Way) bool {
	a := &f.answer
	switch {
	case a.Action == predict.Proxy && way.Action == match.Forward && way.Status == 0:
		return f.sameClusters(way)
	case a.Action == predict.Proxy || a.Action == predict.Closed || a.Action == predict.Static:
		return false
	case way.Action == match.Forward && way.Status == 0:
		return false
	}
	return a.Status == way.Status && (a.Redirect == way.Location || way.Location == "")
}

// sameClusters reports whether nginx's upstreams are Envoy's clusters.
func (f *foretold) sameClusters(way *match.Way) bool {
	ours, theirs := f.upstreams(), theirClusters(way)
	stands := func(upstream, cluster string) bool { return slices.Contains(f.by.clusters(upstream), cluster) }
	if way.Cluster != "" { // one of several, where its random value chose it
		ours = slices.DeleteFunc(ours, func(u string) bool { return len(ours) > 1 && !stands(u, way.Cluster) })
	}
	for _, u := range ours {
		if !slices.ContainsFunc(theirs, func(c string) bool { return stands(u, c) }) {
			return false
		}
	}
	for _, c := range theirs {
		if !slices.ContainsFunc(ours, func(u string) bool { return stands(u, c) }) {
			return false
		}
	}
	return true
}

// upstreams are those that nginx may send the request to.
func (f *foretold) upstreams() []string {
	if f.answer.Upstream != "" {
		return []string{f.answer.Upstream}
	}
	var out []string
	for _, s := range f.answer.Split {
		if s.Percent > 0 {
			out = append(out, s.Upstream)
		}
	}
	return out
}

// theirClusters are those that Envoy may send the request to.
func theirClusters(way *match.Way) []string {
	if way.Cluster != "" {
		return []string{way.Cluster}
	}
	var out []string
	for _, w := range way.Weighted {
		if w.Weight > 0 {
			out = append(out, w.Name)
		}
	}
	return out
}

// end is what becomes of the request in nginx, in a few words.
func (f *foretold) end() string {
	a := &f.answer
	switch a.Action {
	case predict.Proxy:
		return "to " + f.target()
	case predict.Redirect:
		return fmt.Sprintf("%d to %s", a.Status, a.Redirect)
	case predict.Static:
		return "a file of its disk"
	case predict.Closed:
		return "closes the connection"
	case predict.Unknown:
		return "cannot be said"
	}
	return fmt.Sprint(a.Status)
}

// target is where nginx sends it: "app", or "app 90%, app-v2 10%".
func (f *foretold) target() string {
	a := &f.answer
	if a.Upstream != "" || len(a.Split) == 0 {
		return a.Upstream
	}
	parts := make([]string, len(a.Split))
	for i, s := range a.Split {
		parts[i] = s.Upstream + " " + percent(s.Percent/100)
	}
	return strings.Join(parts, ", ")
}

// envoyEnd is what becomes of the request in Envoy, in as few words.
func envoyEnd(way *match.Way) string {
	switch {
	case way.Action == match.Forward && way.Status == 0 && len(way.Weighted) > 0 && way.Cluster == "":
		return "to " + sharesText(way.Weighted)
	case way.Action == match.Forward && way.Status == 0:
		return "to " + way.Cluster
	case way.Location != "":
		return fmt.Sprintf("%d to %s", way.Status, way.Location)
	case way.Status != 0:
		return fmt.Sprint(way.Status)
	}
	return strings.ReplaceAll(string(way.Action), "_", " ")
}
