package importer

import (
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"example.com/meshtui/engine/nginx/conf"
)

// variableTarget is a pass to what a variable holds.
func (im *importer) variableTarget(loc, pass *conf.Directive, name string, a *routev3.RouteAction) bool {
	variable := single(name)
	if variable == "" {
		return im.unknownTarget(pass, "the target is put together from variables, and a route of Envoy's names its cluster")
	}
	if value, set, ok := im.constant(loc, variable); ok {
		return im.constantTarget(loc, pass, set, value, a)
	}
	http := enclosing(loc, "http")
	if http == nil {
		return im.unknownTarget(pass, "$"+variable+" is not known")
	}
	for _, d := range im.children(http)["split_clients"] {
		if strings.TrimPrefix(d.Arg(1), "$") == variable {
			return im.splitTarget(loc, pass, d, a)
		}
	}
	for _, d := range im.children(http)["map"] {
		if strings.TrimPrefix(d.Arg(1), "$") == variable {
			return im.mapTarget(loc, pass, d, a)
		}
	}
	return im.unknownTarget(pass, "$"+variable+" is known only when the request is there, and a route of Envoy's names its cluster")
}

func (im *importer) unknownTarget(pass *conf.Directive, reason string) bool {
	im.none(pass, reason, "make a route and a cluster for each target; for any host at all there is the dynamic_forward_proxy filter")
	return false
}

// constantTarget is the way to make nginx ask DNS while it runs: a variable that
// holds one name, and a resolver.
func (im *importer) constantTarget(loc, pass, set *conf.Directive, value string, a *routev3.RouteAction) bool {
	if _, rest, ok := strings.Cut(value, "://"); ok {
		value = rest
	}
	value, _, _ = strings.Cut(value, "/")
	p := im.pool(pass, value, im.one(loc, "resolver"))
	if p == nil {
		return im.unknownTarget(pass, "there is no upstream and no address "+value)
	}
	c := im.reach(loc, pass, p)
	a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: c.GetName()}
	a.HashPolicy = p.hash
	im.goals[a] = &goal{host: hostHeader(pass, value), several: p.several, servers: p.servers}
	im.exact(set, at(a, "cluster"))
	im.exact(pass, at(a, "cluster"))
	return true
}

// splitTarget is a share of the requests for each upstream. nginx sends the same
// key the same way each time, which Envoy does by a hash.
func (im *importer) splitTarget(loc, pass, split *conf.Directive, a *routev3.RouteAction) bool {
	w := &routev3.WeightedCluster{}
	g, left := &goal{}, uint32(10_000)
	im.claimed[split] = true
	for _, line := range split.Block {
		share := left
		if line.Name != "*" {
			v, err := strconv.ParseFloat(strings.TrimSuffix(line.Name, "%"), 64)
			if err != nil || v < 0 {
				im.none(line, "it is no share", "")
				continue
			}
			share = min(uint32(v*100+0.5), left)
		}
		left -= share
		p := im.pool(pass, line.Arg(0), nil)
		if p == nil {
			return im.unknownTarget(pass, line.Place()+": there is no upstream "+line.Arg(0))
		}
		one := &routev3.WeightedCluster_ClusterWeight{Name: im.reach(loc, pass, p).GetName(), Weight: wrapperspb.UInt32(share)}
		w.Clusters = append(w.Clusters, one)
		g.add(p, hostHeader(pass, line.Arg(0)))
		im.exact(line, at(one, "weight"))
	}
	if len(w.GetClusters()) == 0 {
		return im.unknownTarget(pass, "its split_clients is empty")
	}
	a.ClusterSpecifier = &routev3.RouteAction_WeightedClusters{WeightedClusters: w}
	im.goals[a] = g
	im.exact(pass, at(a, "weighted_clusters"))
	if key := split.Arg(0); !strings.Contains(key, "$request_id") && !strings.Contains(key, "$msec") {
		im.keep(split, key, a, w)
	} else {
		im.exact(split, at(a, "weighted_clusters"))
	}
	return true
}

// keep has a client come to the same side each time.
func (im *importer) keep(split *conf.Directive, key string, a *routev3.RouteAction, w *routev3.WeightedCluster) {
	policies, note, ok := im.hashPolicies(split, key)
	if !ok {
		im.approx(split, at(a, "weighted_clusters"), note+": each request draws anew, where nginx sends the same key the same way", "")
		return
	}
	a.HashPolicy = policies
	w.RandomValueSpecifier = &routev3.WeightedCluster_UseHashPolicy{UseHashPolicy: wrapperspb.Bool(true)}
	im.approx(split, at(a, "weighted_clusters"), "the shares are the same, but other keys fall into them", "")
}

// add takes one more upstream in. They share the Host of the first.
func (g *goal) add(p *pool, host string) {
	if g.host == "" {
		g.host, g.servers, g.several = host, p.servers, p.several
		return
	}
	g.several = g.several || p.several
	g.servers = max(g.servers, p.servers)
}

// mapTarget is an upstream chosen by what a request has in a header or its query:
// a route for each value.
func (im *importer) mapTarget(loc, pass, m *conf.Directive, a *routev3.RouteAction) bool {
	source := single(m.Arg(0))
	var fallback *conf.Directive
	g := &goal{}
	for _, line := range m.Block {
		if line.Name == "default" {
			fallback = line
			continue
		}
		p := im.pool(pass, line.Arg(0), nil)
		matcher, ok := valueMatcher(line.Name)
		c := choice{from: line}
		if ok {
			ok = c.match(source, matcher)
		}
		if !ok || p == nil {
			return im.unknownTarget(pass, line.Place()+": the choice by $"+source+" cannot be said in a route's match")
		}
		c.cluster, c.host = im.reach(loc, pass, p).GetName(), hostHeader(pass, line.Arg(0))
		g.choices = append(g.choices, c)
		g.several = g.several || p.several
	}
	if fallback == nil {
		return im.unknownTarget(pass, "the map has no default, and nginx fails where none of its values fits")
	}
	p := im.pool(pass, fallback.Arg(0), nil)
	if p == nil {
		return im.unknownTarget(pass, fallback.Place()+": there is no upstream "+fallback.Arg(0))
	}
	a.ClusterSpecifier = &routev3.RouteAction_Cluster{Cluster: im.reach(loc, pass, p).GetName()}
	a.HashPolicy = p.hash
	g.add(p, hostHeader(pass, fallback.Arg(0)))
	im.goals[a] = g
	im.exact(m, at(a, "cluster"))
	im.exact(fallback, at(a, "cluster"))
	im.exact(pass, at(a, "cluster"))
	return true
}

// valueMatcher is a value of a map: a text, which nginx compares without case, or
// an expression.
func valueMatcher(s string) (*matcherv3.StringMatcher, bool) {
	fold := false
	re, ok := strings.CutPrefix(s, "~")
	if !ok {
		return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: strings.TrimPrefix(s, `\`)}, IgnoreCase: true}, s != "hostnames" && s != "include" && s != "volatile"
	}
	re, fold = strings.CutPrefix(re, "*")
	full, ok := searching(re, fold)
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: &matcherv3.RegexMatcher{Regex: full}}}, ok
}

// match puts the matcher on what the map looks at.
func (c *choice) match(source string, m *matcherv3.StringMatcher) bool {
	header := ""
	switch {
	case source == "host" || source == "http_host":
		header = ":authority"
	case source == "request_method":
		header = ":method"
	case strings.HasPrefix(source, "http_"):
		header = strings.ReplaceAll(strings.TrimPrefix(source, "http_"), "_", "-")
	case strings.HasPrefix(source, "arg_"):
		c.query = &routev3.QueryParameterMatcher{Name: strings.TrimPrefix(source, "arg_"),
			QueryParameterMatchSpecifier: &routev3.QueryParameterMatcher_StringMatch{StringMatch: m}}
		return true
	case strings.HasPrefix(source, "cookie_"):
		header = "cookie"
		value, ok := cookieExpression(strings.TrimPrefix(source, "cookie_"), m)
		if !ok {
			return false
		}
		m = value
	default:
		return false
	}
	c.header = &routev3.HeaderMatcher{Name: header, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
	return true
}
