package nginx

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/nginx/spelling"
)

// nginx decodes a path before it looks for a location. Routes that take every
// spelling of a path say in Envoy what nginx says with the decoded one.

// decoded is the virtual host with the paths of its routes decoded; itself where
// none is spelled out.
func decoded(vh *routev3.VirtualHost) *routev3.VirtualHost {
	out := vh
	for i, r := range vh.GetRoutes() {
		plain := decodedRoute(r)
		if plain == r {
			continue
		}
		if out == vh {
			out = &routev3.VirtualHost{}
			proto.Merge(out, vh)
			out.Routes = slices.Clone(vh.GetRoutes())
		}
		out.Routes[i] = plain
	}
	return out
}

func decodedRoute(r *routev3.Route) *routev3.Route {
	out := r
	edit := func() *routev3.Route {
		if out == r {
			out = proto.CloneOf(r)
		}
		return out
	}
	if re := r.GetMatch().GetSafeRegex().GetRegex(); re != "" {
		if path, prefix, ok := spelling.Literal(re); ok && prefix {
			edit().Match.PathSpecifier = &routev3.RouteMatch_Prefix{Prefix: escapedName(path)}
		} else if ok {
			edit().Match.PathSpecifier = &routev3.RouteMatch_Path{Path: escapedName(path)}
		} else if plain, ok := spelling.Plain(re); ok {
			edit().GetMatch().GetSafeRegex().Regex = plain
		}
	}
	for i, h := range r.GetMatch().GetHeaders() {
		if h.GetName() != ":path" {
			continue
		}
		if path, prefix, ok := spelling.Literal(h.GetStringMatch().GetSafeRegex().GetRegex()); ok && prefix {
			edit().GetMatch().Headers[i].HeaderMatchSpecifier = &routev3.HeaderMatcher_StringMatch{StringMatch: &matcherv3.StringMatcher{
				MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: escapedName(path)}}}
		}
	}
	if slices.ContainsFunc(r.GetMatch().GetHeaders(), aboutRuns) {
		edit().Match.Headers = slices.DeleteFunc(out.GetMatch().GetHeaders(), aboutRuns)
	}
	for _, pattern := range []func(*routev3.Route) *matcherv3.RegexMatcher{
		func(r *routev3.Route) *matcherv3.RegexMatcher { return r.GetRoute().GetRegexRewrite().GetPattern() },
		func(r *routev3.Route) *matcherv3.RegexMatcher { return r.GetRedirect().GetRegexRewrite().GetPattern() },
	} {
		if plain, ok := spelling.Plain(pattern(r).GetRegex()); ok {
			pattern(edit()).Regex = plain
		}
	}
	return out
}

// aboutRuns reports whether a condition leaves paths out that have several slashes,
// some of them escaped: nginx makes one of them.
func aboutRuns(h *routev3.HeaderMatcher) bool {
	return h.GetName() == ":path" && h.GetInvertMatch() && h.GetStringMatch().GetSafeRegex().GetRegex() == spelling.Runs
}

// hides reports whether the route refuses what hides a dot segment beside an
// escaped slash, which nginx resolves.
func hides(r *routev3.Route) bool {
	h := r.GetMatch().GetHeaders()
	return r.GetDirectResponse().GetStatus() == 400 && r.GetMatch().GetPrefix() == "/" && len(h) == 1 && len(r.GetMatch().GetQueryParameters()) == 0 &&
		h[0].GetName() == ":path" && !h[0].GetInvertMatch() && h[0].GetStringMatch().GetSafeRegex().GetRegex() == spelling.Hidden
}

// respells reports whether the route refuses other spellings of what the route
// before it takes.
func respells(all []*routev3.Route, i int) bool {
	r := all[i]
	if i == 0 || r.GetDirectResponse().GetStatus() != 403 || r.GetDirectResponse().GetBody() != nil || len(r.GetTypedPerFilterConfig()) > 0 {
		return false
	}
	return proto.Equal(all[i-1].GetMatch(), r.GetMatch())
}
