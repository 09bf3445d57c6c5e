package tui

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/predict"
)

// Foreteller says what nginx does with a request; *predict.Server is one.
type Foreteller interface {
	Answer(predict.Request) predict.Answer
}

// likeNginx is what nginx would do by the nginx.conf of one mesh.
type likeNginx struct {
	shown     *nginx.Config
	server    Foreteller
	upstreams map[string]string // the cluster that each upstream block mirrors
	wrong     string            // why nothing can be said
}

// newLikeNginx reads the projection of a mesh as nginx would.
func newLikeNginx(shown *nginx.Config, foretell func(*conf.Config) Foreteller) *likeNginx {
	n := &likeNginx{shown: shown, upstreams: map[string]string{}}
	read, err := conf.Parse("nginx.conf", conf.Text(shown.String()))
	if err != nil {
		n.wrong = err.Error()
		return n
	}
	for d := range read.All() {
		if k := n.origin(d).Key; d.Name == "upstream" && !k.IsZero() {
			n.upstreams[d.Arg(0)] = k.Name
		}
	}
	n.server = foretell(read)
	return n
}

// line is the index in shown of the line that a directive stands on; -1 for none.
func (n *likeNginx) line(d *conf.Directive) int {
	if d == nil || d.Line < 1 || d.Line > len(n.shown.Lines) {
		return -1
	}
	return d.Line - 1
}

// origin is what the line of a directive mirrors; zero for none.
func (n *likeNginx) origin(d *conf.Directive) nginx.Origin {
	if i := n.line(d); i >= 0 {
		return n.shown.Lines[i].From
	}
	return nginx.Origin{}
}

// mirrors reports whether the line of a directive mirrors a field, or something
// within it, or around it.
func (n *likeNginx) mirrors(d *conf.Directive, k mesh.Key, path string) bool {
	i := n.line(d)
	if i < 0 {
		return false
	}
	l := &n.shown.Lines[i]
	return slices.ContainsFunc(append([]nginx.Origin{l.From}, l.Also...), func(o nginx.Origin) bool {
		return o.Key == k && (o.Path == path || strings.HasPrefix(o.Path, path+".") || strings.HasPrefix(path, o.Path+"."))
	})
}

// cluster is the cluster that nginx calls by that name.
func (n *likeNginx) cluster(upstream string) string {
	if name, known := n.upstreams[upstream]; known {
		return name
	}
	return upstream
}

// foretold is what nginx would do with a request, beside what Envoy does.
type foretold struct {
	by     *likeNginx
	answer predict.Answer
	parts  []parting
}

// parting is one thing in which the two differ.
type parting struct {
	says string
	line int // of the nginx.conf, an index; -1 for none
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
	line := f.by.line(a.Location)
	if line < 0 {
		line = f.by.line(a.Server)
	}
	k, path, name, routed := routeStep(way)
	elsewhere := routed && a.Location != nil && !f.by.mirrors(a.Location, k, path)
	here, there := f.end(), envoyEnd(way)
	switch {
	case elsewhere && !f.sameEnd(way):
		return []parting{{fmt.Sprintf("nginx: %s, %s; Envoy: route %s, %s", a.Location, here, name, there), line}}
	case !f.sameEnd(way):
		return []parting{{fmt.Sprintf("nginx: %s; Envoy: %s", here, there), line}}
	case elsewhere:
		return []parting{{fmt.Sprintf("nginx takes %s, Envoy route %s", a.Location, name), line}}
	case a.Action != predict.Proxy || way.Action != match.Forward || way.Status != 0:
		return nil
	}
	var out []parting
	if a.Sent != "" && a.Sent != way.Path {
		out = append(out, parting{fmt.Sprintf("the upstream gets %s from nginx, %s from Envoy", a.Sent, way.Path), line})
	}
	if a.Host != "" && !strings.EqualFold(a.Host, way.Host) {
		out = append(out, parting{fmt.Sprintf("the upstream gets the Host %s from nginx, %s from Envoy", a.Host, way.Host), line})
	}
	return out
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
	ours := f.clusters()
	if way.Cluster != "" {
		return slices.Contains(ours, way.Cluster)
	}
	var theirs []string
	for _, w := range way.Weighted {
		if w.Weight > 0 {
			theirs = append(theirs, w.Name)
		}
	}
	slices.Sort(ours)
	slices.Sort(theirs)
	return slices.Equal(slices.Compact(ours), slices.Compact(theirs))
}

// clusters are those that nginx may send the request to.
func (f *foretold) clusters() []string {
	a := &f.answer
	if a.Upstream != "" {
		return []string{f.by.cluster(a.Upstream)}
	}
	var out []string
	for _, s := range a.Split {
		if s.Percent > 0 {
			out = append(out, f.by.cluster(s.Upstream))
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
