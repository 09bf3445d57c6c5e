package nginx

import (
	"fmt"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	basicv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/basic_auth/v3"
	csrfv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/csrf/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	faultv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	jwtv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/jwt_authn/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	rbacnetv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/rbac/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// What refuses requests in Envoy must not let them in here: what nginx cannot
// ask, it answers with 403 for everybody.

// guards are the kinds of HTTP filter that decide whom to let in.
var guards = map[string]bool{"rbac": true, "jwt_authn": true, "ext_authz": true, "basic_auth": true, "oauth2": true, "api_key_auth": true, "csrf": true, "fault": true}

// guardKind is the kind of filter of that type, "" for one that guards nothing.
func guardKind(typeURL string) string {
	_, rest, _ := strings.Cut(typeURL, ".filters.http.")
	kind, _, _ := strings.Cut(rest, ".")
	if guards[kind] {
		return kind
	}
	return ""
}

// guard is what a filter asks of the requests of one place.
type guard struct {
	from   Origin
	lesson string // of what closes the place; "" where nginx can ask the same
	check  *check
	early  bool               // it is asked of the connection, not of each request
	users  *basicv3.BasicAuth // from a file
}

// guardsOf are those that stand before a route, in the order of the filters.
func (sc *scope) guardsOf(pl *place) []guard {
	out := append([]guard(nil), sc.site.guards...)
	for i, f := range sc.site.manager.GetHttpFilters() {
		kind := guardKind(typeOf(f.GetTypedConfig()))
		for _, u := range f.GetConfigDiscovery().GetTypeUrls() {
			kind = orElse(kind, guardKind(u))
		}
		if kind == "" {
			continue
		}
		at := sc.site.origin.at(fmt.Sprintf("http_filters[%d]", i))
		for _, l := range sc.settings(pl, f.GetName(), at) {
			if g, ok := sc.guard(pl, f, kind, l); ok {
				out = append(out, g)
			}
		}
	}
	return out
}

// setting is what is set for a filter at one place; nil where it is not set
// apart.
type setting struct {
	from   Origin
	config *anypb.Any
}

// settings are what Envoy takes for the route, the innermost; each cluster of a
// weighted choice may have its own.
func (sc *scope) settings(pl *place, name string, filter Origin) []setting {
	usual := setting{from: filter}
	for _, l := range []struct {
		o   Origin
		all map[string]*anypb.Any
	}{{pl.origin, pl.route.GetTypedPerFilterConfig()}, {sc.origin, sc.host.GetTypedPerFilterConfig()}, {sc.routing.origin, sc.routing.config.GetTypedPerFilterConfig()}} {
		if c, ok := l.all[name]; ok {
			usual = setting{l.o.at("typed_per_filter_config"), c}
			break
		}
	}
	var out []setting
	all := pl.route.GetRoute().GetWeightedClusters().GetClusters()
	for i, w := range all {
		if c, ok := w.GetTypedPerFilterConfig()[name]; ok {
			out = append(out, setting{pl.origin.at(fmt.Sprintf("route.weighted_clusters.clusters[%d].typed_per_filter_config", i)), c})
		}
	}
	if len(out) < len(all) || len(all) == 0 {
		out = append(out, usual)
	}
	return out
}

// guard is what the filter asks with these settings; ok is false for nothing.
func (sc *scope) guard(pl *place, f *hcmv3.HttpFilter, kind string, s setting) (g guard, ok bool) {
	g.from = s.from
	own := unpack(s.config)
	if w, wrapped := own.(*routev3.FilterConfig); wrapped {
		if w.GetDisabled() {
			return g, false
		}
		if own, s.config = nil, nil; w.GetConfig().GetTypeUrl() != "" {
			own, s.config = unpack(w.GetConfig()), w.GetConfig()
		}
	} else if s.config == nil && f.GetDisabled() {
		return g, false
	}
	known := own != nil || s.config == nil
	g.lesson = closedLessons[kind]
	switch m := unpack(f.GetTypedConfig()).(type) {
	case *rbacfilterv3.RBAC:
		if r, per := own.(*rbacfilterv3.RBACPerRoute); per {
			m = r.GetRbac()
		}
		if known && m.GetMatcher() == nil {
			g.lesson, g.check = "", &check{m.GetRules(), sc.site.peers()}
			return g, m.GetRules() != nil
		}
	case *jwtv3.JwtAuthentication:
		r, per := own.(*jwtv3.PerRouteConfig)
		return g, !known || !r.GetDisabled() && (per || sc.asksToken(m, pl.route))
	case *authzv3.ExtAuthz:
		r, _ := own.(*authzv3.ExtAuthzPerRoute)
		return g, !r.GetDisabled()
	case *csrfv3.CsrfPolicy:
		if r, per := own.(*csrfv3.CsrfPolicy); per {
			m = r
		}
		return g, !known || m.GetFilterEnabled().GetDefaultValue().GetNumerator() > 0 || m.GetFilterEnabled().GetRuntimeKey() != ""
	case *faultv3.HTTPFault:
		if r, per := own.(*faultv3.HTTPFault); per {
			m = r
		}
		g.lesson = lessonFault
		return g, !known || abortsAll(m)
	case *basicv3.BasicAuth:
		users := m
		if r, per := own.(*basicv3.BasicAuthPerRoute); per {
			users = &basicv3.BasicAuth{Users: r.GetUsers(), Realm: orElse(r.GetRealm(), m.GetRealm())}
		}
		if file := fileOf(users.GetUsers()); known && file != "" && m.GetAuthenticationHeader() == "" && literal(users.GetRealm()) {
			g.lesson, g.users = "", users
		}
	}
	return g, true
}

// abortsAll reports whether the filter refuses every request.
func abortsAll(m *faultv3.HTTPFault) bool {
	share := m.GetAbort().GetPercentage()
	of := map[typev3.FractionalPercent_DenominatorType]uint32{typev3.FractionalPercent_TEN_THOUSAND: 10_000, typev3.FractionalPercent_MILLION: 1_000_000}[share.GetDenominator()]
	return m.GetAbort().GetHeaderAbort() == nil && len(m.GetHeaders()) == 0 && m.GetUpstreamCluster() == "" && share.GetNumerator() >= max(of, 100)
}

// behind gives what stands before the site to it, with the addresses that nginx
// sees there.
func (s *site) behind(all []guard) {
	plain := s.trusted() == nil
	for _, g := range all {
		g.early = true
		if g.check != nil {
			g.check = &check{g.check.rules, peers{direct: plain, remote: plain && !s.port.proxied}}
		}
		s.guards = append(s.guards, g)
	}
}

// peers are the addresses that nginx has in $remote_addr for the site.
func (s *site) peers() peers {
	if s.trusted() != nil {
		return peers{remote: true}
	}
	m := s.manager
	own := m.GetUseRemoteAddress().GetValue() && m.GetXffNumTrustedHops() == 0 && len(m.GetOriginalIpDetectionExtensions()) == 0
	return peers{direct: true, remote: own && !s.port.proxied}
}

// asksToken reports whether a request of the route may have to show a token.
func (sc *scope) asksToken(m *jwtv3.JwtAuthentication, r *routev3.Route) bool {
	route := r.GetMatch()
	if m.GetFilterStateRules() != nil {
		return true
	}
	for _, rule := range m.GetRules() {
		_, always := rule.GetRequires().GetRequiresType().(*jwtv3.JwtRequirement_AllowMissingOrFailed)
		asks := rule.GetRequirementType() != nil && !always
		head := rule.GetMatch().GetPrefix()
		plain := head != "" && conditions(rule.GetMatch()) == "" && rule.GetMatch().GetGrpc() == nil && rule.GetMatch().GetCaseSensitive() == nil
		of := orElse(route.GetPrefix(), orElse(route.GetPath(), route.GetPathSeparatedPrefix()))
		switch {
		case plain && of != "" && strings.HasPrefix(of, head) && route.GetCaseSensitive() == nil:
			return asks
		case plain && of != "" && !strings.HasPrefix(head, of) && route.GetCaseSensitive() == nil:
		case plain && sc.takenBefore(r, head):
		case asks:
			return true
		}
	}
	return false
}

// takenBefore reports whether a route before this one takes all paths that begin
// with head.
func (sc *scope) takenBefore(r *routev3.Route, head string) bool {
	for _, other := range sc.host.GetRoutes() {
		m := other.GetMatch()
		switch {
		case other == r:
			return false
		case m.GetPrefix() != "" && strings.HasPrefix(head, m.GetPrefix()) && conditions(m) == "" && m.GetGrpc() == nil && m.GetCaseSensitive() == nil:
			return true
		}
	}
	return false
}

// guarded writes whom nginx lets in to a route. answers says that nginx answers
// by itself there, which it does before it looks at allow and deny.
func (p *projection) guarded(sc *scope, pl *place, answers bool) {
	var checks []check
	var users *basicv3.BasicAuth
	early := false
	m, by := mark{}, mark{}
	join := func(m *mark, o Origin) {
		if m.from.Key.IsZero() {
			m.from = o
		} else if o != m.from {
			m.also = append(m.also, o)
		}
	}
	for _, g := range sc.guardsOf(pl) {
		switch {
		case g.lesson != "" || g.users != nil && users != nil:
			p.close(g.from, orElse(g.lesson, closedLessons["basic_auth"]))
			return
		case g.users != nil:
			users = g.users
			join(&by, g.from)
		default:
			checks, early = append(checks, *g.check), early || g.early
			join(&m, g.from)
		}
	}
	a := admit(checks)
	switch {
	case a.closed && a.doubt:
		p.close(m.from, lessonAccessUnknown)
		return
	case answers && a.closed:
		p.close(m.from, lessonAccess)
		return
	case answers && (len(a.rules) > 0 || a.only != "" || users != nil):
		join(&m, by.from)
		p.close(m.from, lessonAccessAnswer)
		return
	}
	m.kind, m.lesson = Exact, lessonAccess
	if early {
		m = m.approx(lessonAccessEarly)
	}
	p.admission(m, a)
	if users != nil {
		by = by.approx(lessonBasic)
		p.add(by, "auth_basic %s;", token(orElse(users.GetRealm(), "closed")))
		p.add(by, "auth_basic_user_file %s;", token(fileOf(users.GetUsers())))
	}
}

// close refuses everybody.
func (p *projection) close(o Origin, lesson string) {
	m := mark{from: o}.approx(lesson)
	if lesson != lessonAccess {
		p.closed(m)
	}
	p.add(m, "return 403;")
}

// admission writes the rules.
func (p *projection) admission(m mark, a admission) {
	if a.doubt {
		m = m.approx(lessonAccessUnknown)
	}
	for _, r := range a.rules {
		p.add(m, "%s %s;", map[bool]string{true: "allow", false: "deny"}[r.allow], r.who)
	}
	if a.only != "" {
		p.open(m, "limit_except %s", strings.ReplaceAll(a.only, "|", " "))
		p.add(m, "deny all;")
		p.end()
	}
}

// networkGuard is what a network filter asks of a connection; ok is false for
// one that lets everybody in.
func networkGuard(o Origin, kind string, m proto.Message) (g guard, ok bool) {
	g = guard{from: o}
	if m, ok := m.(*rbacnetv3.RBAC); ok && m.GetMatcher() == nil {
		g.check = &check{rules: m.GetRules()}
		return g, m.GetRules() != nil
	}
	g.lesson = lessonNetworkGuard
	for _, name := range []string{".network.rbac.", ".network.ext_authz.", ".client_ssl_auth."} {
		if strings.Contains(kind, name) {
			return g, true
		}
	}
	return g, false
}

// setsGuard reports whether the settings are those of a filter that guards:
// what they come to stands with each route.
func setsGuard(name string, a *anypb.Any) bool {
	if w, ok := unpack(a).(*routev3.FilterConfig); ok {
		return guards[strings.TrimPrefix(name, "envoy.filters.http.")] || guardKind(typeOf(w.GetConfig())) != ""
	}
	return guardKind(typeOf(a)) != ""
}

// unset reports whether the filter checks nothing but what routes say.
func unset(f *hcmv3.HttpFilter) bool {
	if guardKind(typeOf(f.GetTypedConfig())) == "" {
		return false
	}
	m, ok := unpack(f.GetTypedConfig()).(*rbacfilterv3.RBAC)
	return f.GetDisabled() || ok && m.GetRules() == nil && m.GetMatcher() == nil
}
