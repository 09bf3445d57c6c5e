package nginx

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

// chooser makes random route tables of few words, so that routes get into each
// other's way, and requests of the same words.
type chooser struct{ *rand.Rand }

func (c chooser) one(from ...string) string { return from[c.IntN(len(from))] }

func (c chooser) path() string {
	p := ""
	for range 1 + c.IntN(3) {
		p += "/" + c.one("", "a", "b", "ab", "A", "1")
	}
	return p
}

func (c chooser) regex() string {
	return c.one("", "", ".*", "(?s:.*)") + c.path() + c.one(".*", "(a|b)?", "[^/]+", "(?P<args>/.*)?", "", "(?s:.*)", "$")
}

func (c chooser) text() *matcherv3.StringMatcher {
	v := c.one("1", "v", "V2", "a b")
	out := &matcherv3.StringMatcher{IgnoreCase: c.IntN(4) == 0}
	switch c.IntN(6) {
	case 0:
		out.MatchPattern = &matcherv3.StringMatcher_Prefix{Prefix: v}
	case 1:
		out.MatchPattern = &matcherv3.StringMatcher_Suffix{Suffix: v}
	case 2:
		out.MatchPattern = &matcherv3.StringMatcher_Contains{Contains: v}
	case 3:
		out.IgnoreCase = false
		out.MatchPattern = &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: c.one("[v1]+", ".*", "(?i)v.*", "")}}
	default:
		out.MatchPattern = &matcherv3.StringMatcher_Exact{Exact: v}
	}
	return out
}

// match is a path, and now and then more.
func (c chooser) match() *routev3.RouteMatch {
	m := &routev3.RouteMatch{}
	switch c.IntN(8) {
	case 0, 1, 2:
		m.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: c.path()}
	case 3, 4:
		m.PathSpecifier = &routev3.RouteMatch_Path{Path: c.path()}
	case 5:
		m.PathSpecifier = &routev3.RouteMatch_PathSeparatedPrefix{PathSeparatedPrefix: strings.TrimSuffix(c.path()+"a", "/")}
	default:
		m.PathSpecifier = &routev3.RouteMatch_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: c.regex()}}
		if c.IntN(4) == 0 {
			m.Headers = append(m.Headers, &routev3.HeaderMatcher{Name: ":path", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
				StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: c.path()}}}})
		}
	}
	if c.IntN(6) == 0 && m.GetSafeRegex() == nil {
		m.CaseSensitive = wrapperspb.Bool(false)
	}
	for c.IntN(4) == 0 {
		c.condition(m)
	}
	return m
}

func (c chooser) condition(m *routev3.RouteMatch) {
	switch c.IntN(6) {
	case 0:
		m.Headers = append(m.Headers, &routev3.HeaderMatcher{Name: ":method", InvertMatch: c.IntN(3) == 0, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{
			StringMatch: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: "POST"}}}})
	case 1:
		m.Headers = append(m.Headers, &routev3.HeaderMatcher{Name: "x-a", InvertMatch: c.IntN(3) == 0, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: c.IntN(3) > 0}})
	case 2:
		m.Cookies = append(m.Cookies, &routev3.CookieMatcher{Name: "c", StringMatch: c.text(), InvertMatch: c.IntN(3) == 0})
	case 3:
		m.QueryParameters = append(m.QueryParameters, &routev3.QueryParameterMatcher{Name: "q", QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: c.text()}})
	case 4:
		m.Grpc = &routev3.RouteMatch_GrpcRouteMatchOptions{}
	default:
		m.Headers = append(m.Headers, &routev3.HeaderMatcher{Name: "x-b", InvertMatch: c.IntN(3) == 0, TreatMissingHeaderAsEmpty: c.IntN(4) == 0,
			HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: c.text()}})
	}
}

// action says which route it is of, by itself or through an upstream.
func (c chooser) action(r *routev3.Route, name string) {
	if c.IntN(3) > 0 {
		r.Action = &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: 200,
			Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: name}}}}
		return
	}
	a := &routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "echo"}}
	if c.IntN(3) == 0 && r.GetMatch().GetSafeRegex() == nil {
		a.PrefixRewrite = c.one("/", "/new", "/new/")
	}
	r.RequestHeadersToAdd = []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-route", Value: name}, AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}}
	r.Action = &routev3.Route_Route{Route: a}
}

// tables are route tables for hosts of their own, all behind one listener.
func (c chooser) tables(t testing.TB, port, echo, n int) *mesh.Mesh {
	rc := &routev3.RouteConfiguration{Name: "random", IgnorePortInHostMatching: true}
	for h := range n {
		vh := &routev3.VirtualHost{Name: fmt.Sprint(h), Domains: []string{fmt.Sprintf("h%d.test", h)}}
		for i := range 1 + c.IntN(9) {
			r := &routev3.Route{Match: c.match()}
			c.action(r, fmt.Sprint("route ", i))
			vh.Routes = append(vh.Routes, r)
		}
		rc.VirtualHosts = append(rc.VirtualHosts, vh)
	}
	return c.behind(t, port, echo, rc)
}

// behind is a mesh with the routes, a listener for them, and the cluster "echo".
func (c chooser) behind(t testing.TB, port, echo int, rc *routev3.RouteConfiguration) *mesh.Mesh {
	t.Helper()
	m := listening(t, port, rc)
	r, err := mesh.NewResource(&clusterv3.Cluster{Name: "echo", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC},
		LoadAssignment: &endpointv3.ClusterLoadAssignment{ClusterName: "echo", Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(echo)}}}}}}}}}}}}, mesh.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return m.With(r)
}

// request is one that both are asked about.
func (c chooser) request(port uint32, host string) *match.Request {
	r := &match.Request{Port: port, Host: host, Method: c.one("GET", "GET", "POST"), Path: c.path() + c.one("", "", "", "?q=1", "?q=v&x", "?a&q=a%20b", "?")}
	if c.IntN(3) == 0 {
		r.Headers = append(r.Headers, routes.Header{Name: "x-a", Value: c.one("1", "v")})
	}
	if c.IntN(3) == 0 {
		r.Headers = append(r.Headers, routes.Header{Name: "x-b", Value: c.one("1", "v", "V2", "a b", "11", "Vv")})
	}
	if c.IntN(3) == 0 {
		r.Headers = append(r.Headers, routes.Header{Name: "cookie", Value: c.one("c=1", "d=2; c=v", "c=V2; e=f")})
	}
	if c.IntN(5) == 0 {
		r.Headers = append(r.Headers, routes.Header{Name: "content-type", Value: c.one("application/grpc", "application/grpc+x", "application/grpcx", "text/html")})
	}
	return r
}

// raw is the request on the wire.
func raw(r *match.Request) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, r.Host)
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	if r.Method == "POST" {
		b.WriteString("Content-Length: 4\r\n\r\nbody")
		return b.String()
	}
	return b.String() + "\r\n"
}

// seen is the route that nginx took, with what the upstream was asked for.
func seenRoute(r nginxtest.Reply) string {
	if s, ok := nginxtest.ParseSeen(r.Body); ok {
		return strings.TrimSuffix(s.Header("x-route")+" "+s.Target, "?")
	}
	if r.Status == 200 {
		return r.Body
	}
	return fmt.Sprint(r.Status)
}

// wantRoute is what Envoy does.
func wantRoute(w match.Way) string {
	switch w.Action {
	case match.Forward:
		return strings.TrimSuffix(fmt.Sprintf("route %d %s", w.Route.Index, w.Path), "?")
	case match.DirectResponse:
		return w.Body
	}
	return fmt.Sprint(w.Status)
}

// trials is how many tables a test of random tables asks about, in how many
// rounds; MESHTUI_TRIALS sets the rounds.
func trials(rounds int) int {
	if n, err := strconv.Atoi(os.Getenv("MESHTUI_TRIALS")); err == nil && n > 0 {
		return n
	}
	return rounds
}

// TestNginxTakesEnvoysRoute asks a real nginx, and the matcher that is held
// against a real Envoy, about random tables with every kind of match. A table
// of which no line is said to be roughly so must agree in every request.
func TestNginxTakesEnvoysRoute(t *testing.T) {
	nginxtest.Need(t)
	asked, rough := 0, 0
	echo := nginxtest.NewEcho(t, "echo")
	for round := range trials(1) {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			c := chooser{rand.New(rand.NewPCG(uint64(round), 21))}
			port := nginxtest.FreePort(t)
			m := c.tables(t, port, echo.Port, 150)
			conf := Project(m)
			held(t, m, conf)
			unsure := roughHosts(conf)
			rough += len(unsure)
			server, matcher := nginxtest.Start(t, conf.String()), match.New(m)
			a := nginxtest.NewAsker(t, server.Address)
			for h := range 150 {
				for range 40 {
					r := c.request(uint32(port), fmt.Sprintf("h%d.test", h))
					want, got := wantRoute(matcher.Match(r)), seenRoute(a.Ask(raw(r)))
					asked++
					if got != want && !unsure[h] {
						t.Fatalf("%q: nginx takes %q, Envoy %q, of\n%s\n%s", raw(r), got, want, tableOf(m, h), serverOf(conf, r.Host))
					}
				}
			}
		})
	}
	t.Logf("%d requests; %d of %d tables roughly so", asked, rough, trials(1)*150)
	if rough*20 > trials(1)*150 {
		t.Errorf("%d of %d tables are only roughly so, want 1 of 20 at most", rough, trials(1)*150)
	}
}

// roughHosts are the virtual hosts of which some line is said not to be exact,
// for a reason that has to do with which route is taken.
func roughHosts(c *Config) map[int]bool {
	out := map[int]bool{}
	for _, l := range c.Lines {
		switch l.Lesson {
		case lessonInterleaved, lessonManyQuestions, lessonManyRegexes, lessonCondition, lessonMatcher:
			at := l.From.Path[strings.Index(l.From.Path, "virtual_hosts[")+len("virtual_hosts["):]
			n, _ := strconv.Atoi(at[:strings.IndexByte(at, ']')])
			out[n] = true
		}
	}
	return out
}

func tableOf(m *mesh.Mesh, h int) string {
	var b strings.Builder
	for i, r := range match.New(m).Match(&match.Request{Host: fmt.Sprintf("h%d.test", h), Path: "/"}).VHost.GetRoutes() {
		fmt.Fprintf(&b, "%d %v\n", i, r)
	}
	return b.String()
}

func serverOf(c *Config, name string) string {
	_, rest, _ := strings.Cut(c.String(), "server_name "+name+";")
	text, _, _ := strings.Cut(rest, "\n    server {")
	return text
}
