package importer

import (
	"regexp"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"
)

// spread is a finished route as the routes that Envoy needs for it, in their
// order: the route itself, behind one for each upstream that a map chooses, and
// each behind a twin for the methods that must not be sent twice.
func (im *importer) spread(r *routev3.Route) []*routev3.Route {
	g := im.goals[r.GetRoute()]
	if g == nil {
		return []*routev3.Route{r}
	}
	var out []*routev3.Route
	size := proto.Size(r)
	for _, c := range g.choices {
		if im.spend(size); im.full() {
			break
		}
		out = append(out, im.careful(im.chosen(r, g, c))...)
	}
	return append(out, im.careful(r)...)
}

// chosen is the route for one value of a map.
func (im *importer) chosen(r *routev3.Route, g *goal, c choice) *routev3.Route {
	one := proto.CloneOf(r)
	if c.header != nil {
		one.Match.Headers = append(one.GetMatch().GetHeaders(), c.header)
	}
	if c.query != nil {
		one.Match.QueryParameters = append(one.GetMatch().GetQueryParameters(), c.query)
	}
	a := one.GetRoute()
	a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: c.cluster}
	if a.GetHostRewriteLiteral() == g.host && g.host != "" {
		a.HostRewriteSpecifier = &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: c.host}
	}
	if one.Name != "" {
		one.Name += " for " + c.from.Name
	}
	im.exact(c.from, at(one, "route.cluster"))
	return one
}

// once are the methods that nginx does not send a second time when the first
// server may have acted on them already.
const once = "POST|LOCK|PATCH"

// careful is a route, behind its twin for those methods where it retries what
// may have been acted on.
func (im *importer) careful(r *routev3.Route) []*routev3.Route {
	rp := r.GetRoute().GetRetryPolicy()
	if len(rp.GetRetriableRequestHeaders()) == 0 {
		return []*routev3.Route{r}
	}
	rp.RetriableRequestHeaders = nil
	twin := proto.CloneOf(r)
	twin.Match.Headers = append(twin.GetMatch().GetHeaders(), byMethod(once))
	twin.GetRoute().RetryPolicy.RetryOn = "connect-failure,refused-stream"
	twin.GetRoute().RetryPolicy.RetriableStatusCodes = nil
	if twin.Name != "" {
		twin.Name += " for " + strings.ReplaceAll(once, "|", ", ")
	}
	return []*routev3.Route{twin, r}
}

// byMethod takes the requests with one of these methods.
func byMethod(methods string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: ":method", HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: safeRegex(methods)}}
}

// searching is an expression that matches the whole of what nginx's only has to
// be found in. ok is false for what RE2 does not know.
func searching(re string, fold bool) (full string, ok bool) {
	if fold {
		re = "(?i:" + re + ")"
	} else {
		re = "(?:" + re + ")"
	}
	full = "(?s:.*)" + strings.ReplaceAll(re, "(?<", "(?P<") + "(?s:.*)"
	_, err := regexp.Compile(full)
	return full, err == nil
}

// cookieExpression finds a cookie of that value among those of a Cookie header.
func cookieExpression(name string, m *matcherv3.StringMatcher) (*matcherv3.StringMatcher, bool) {
	value := m.GetExact()
	if value == "" {
		return nil, false
	}
	return safeRegex(`(?:.*;\s*)?` + regexp.QuoteMeta(name) + `=(?i:` + regexp.QuoteMeta(value) + `)(?:\s*;.*)?`), true
}
