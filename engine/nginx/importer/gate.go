package importer

import (
	"maps"
	"slices"
	"strings"
	"time"

	rulesv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	forgetv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// gate is who may come in at all: allow and deny, limit_except, auth_basic,
// auth_request. What Envoy cannot check refuses everybody rather than nobody.
func (im *importer) gate(loc *conf.Directive, r *routev3.Route) {
	if r.GetRedirect() != nil || r.GetDirectResponse() != nil && im.returns(loc) {
		rules, from := im.byMethods(loc, nil, nil)
		im.enforce(r, rules, from) // nginx's return comes before its other access rules
		return
	}
	im.gates(loc, r)
}

// gates is the same of a route of which it is known that nginx looks at them.
func (im *importer) gates(loc *conf.Directive, r *routev3.Route) {
	rules, from := im.clients(loc)
	rules, from = im.byMethods(loc, rules, from)
	asked := im.subrequestGate(loc, r)
	if d := im.basic(loc); d != nil {
		rules, from = closed(), append(from, d)
	}
	if ds := im.otherChecks(loc); len(ds) > 0 {
		rules, from = closed(), append(from, ds...)
	}
	if d := im.one(loc, "satisfy"); d != nil {
		if d.Arg(0) == "any" && len(from) > 0 && asked {
			im.approx(d, at(r, ""), "Envoy asks for all of them: who passes one is not let in by it alone", "write the addresses into the policy of the rbac filter, and let the service know them")
		} else {
			im.moot(d)
		}
	}
	im.enforce(r, rules, from)
}

// enforce gives a route its rules; nil lets everybody in. from are the directives
// that they are made of.
func (im *importer) enforce(r *routev3.Route, rules *rbacv3.RBAC, from []*conf.Directive) {
	if rules == nil {
		for _, d := range from {
			im.moot(d)
		}
		return
	}
	m := &rbacfilterv3.RBACPerRoute{Rbac: &rbacfilterv3.RBAC{Rules: rules}}
	im.perRoute(r, filterRBAC, m)
	for _, d := range from {
		if !checks[d.Name] {
			im.exact(d, at(m, "rbac.rules"))
		}
	}
}

// client is who the request comes from, after real_ip_header where there is one.
func client(c *corev3.CidrRange) *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_RemoteIp{RemoteIp: c}}
}

func anybody() *rbacv3.Principal {
	return &rbacv3.Principal{Identifier: &rbacv3.Principal_Any{Any: true}}
}

// closed lets nobody in.
func closed() *rbacv3.RBAC {
	return policy(rbacv3.RBAC_DENY, []*rbacv3.Principal{anybody()})
}

// returns reports whether the location answers by itself with return.
func (im *importer) returns(loc *conf.Directive) bool {
	return len(im.children(loc)["return"]) > 0
}

// byMethods is limit_except: its own rules for all methods but those it names.
func (im *importer) byMethods(loc *conf.Directive, rules *rbacv3.RBAC, from []*conf.Directive) (*rbacv3.RBAC, []*conf.Directive) {
	for loc.Name == "if" && loc.Parent != nil {
		loc = loc.Parent // it holds within an if too
	}
	for _, d := range im.children(loc)["limit_except"] {
		inner, lines := im.clients(d)
		im.claimed[d] = true
		for _, in := range d.Block {
			switch {
			case in.Name == "allow" || in.Name == "deny":
			case decidesAccess(in):
				inner, lines = closed(), append(lines, d)
				im.none(in, "all requests with other methods than "+strings.Join(d.Args, ", ")+" are refused here (403), those too that nginx lets in: Envoy cannot make this check",
					"say who may in the principals of the route's rbac policy \"other methods\"")
			case !moots[in.Name] && in.Name != "auth_basic_user_file":
				im.none(in, "within limit_except Envoy is told who may come in, and nothing else", "")
			default:
				im.moot(in)
			}
		}
		if inner == nil {
			continue
		}
		methods := strings.ToUpper(strings.Join(d.Args, "|"))
		if strings.Contains("|"+methods+"|", "|GET|") {
			methods += "|HEAD"
		}
		these := &rbacv3.Permission{Rule: &rbacv3.Permission_Header{Header: byMethod(methods)}}
		others := &rbacv3.Permission{Rule: &rbacv3.Permission_NotRule{NotRule: these}}
		out := &rbacv3.RBAC{Action: rbacv3.RBAC_ALLOW, Policies: map[string]*rbacv3.Policy{}}
		admit(out, "methods", these, rules)
		admit(out, "other methods", others, inner)
		if len(out.GetPolicies()) == 0 {
			out = closed()
		}
		rules, from = out, append(append(from, d), lines...)
	}
	return rules, from
}

// otherMethods adds a route before what a location with an if or a rewrite does:
// with the methods that limit_except does not name nginx follows neither of them,
// and looks at the rules of limit_except alone.
func (w *writer) otherMethods(loc *conf.Directive, q request) {
	if !slices.ContainsFunc(loc.Block, func(in *conf.Directive) bool { return in.Name == "if" || in.Name == "rewrite" }) {
		return
	}
	for _, d := range w.children(loc)["limit_except"] {
		inner, _ := w.access(d, client)
		if inner == nil && !slices.ContainsFunc(d.Block, decidesAccess) {
			continue
		}
		if !deniesAll(d) {
			w.none(d, "all requests with other methods than "+strings.Join(d.Args, ", ")+" are refused here (403), those too that nginx lets in: beside an if or a rewrite Envoy is told no more of them",
				"write a location without if and rewrite, or a route for these methods before this one")
		}
		for _, q := range w.cases(q, w.headerTexts(d, nil)) {
			w.refuseOthers(d, q)
		}
	}
}

// refuseOthers is the answer to the methods that a limit_except does not name.
func (w *writer) refuseOthers(limit *conf.Directive, q request) {
	methods := strings.ToUpper(strings.Join(limit.Args, "|"))
	if strings.Contains("|"+methods+"|", "|GET|") {
		methods += "|HEAD"
	}
	others := byMethod(methods)
	others.InvertMatch = true
	r := &routev3.Route{Name: strings.TrimSpace(q.name + " other methods"), Match: clone(q.match), Action: direct(403, "")}
	r.Match.Headers = append(r.Match.Headers, others)
	if deniesAll(limit) {
		w.exact(limit, at(r, "match"))
	}
	w.addedHeaders(limit, r, q)
	w.spendOn(r)
	w.out = append(w.out, r)
}

// deniesAll reports whether there is nothing but `deny all` in a block.
func deniesAll(d *conf.Directive) bool {
	return !slices.ContainsFunc(d.Block, func(in *conf.Directive) bool { return in.Name != "deny" || in.Arg(0) != "all" })
}

// decidesAccess reports whether a directive has somebody decide who may come in.
func decidesAccess(d *conf.Directive) bool {
	return checks[d.Name] && d.Arg(0) != "off"
}

// checks are the directives that do.
var checks = map[string]bool{"auth_basic": true, "auth_request": true, "auth_jwt": true, "auth_digest": true, "auth_ldap": true, "auth_pam": true,
	"auth_gss": true, "access_by_lua": true, "access_by_lua_block": true, "access_by_lua_file": true}

// otherChecks are those that hold in loc beside auth_basic and auth_request.
func (im *importer) otherChecks(loc *conf.Directive) (out []*conf.Directive) {
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		d := im.one(loc, name)
		if d == nil || name == "auth_basic" || name == "auth_request" {
			continue
		}
		if !decidesAccess(d) {
			im.moot(d)
			continue
		}
		im.none(d, "all requests are refused here (403), those too that nginx lets in: Envoy does not make this check as it is",
			"set jwt_authn, ext_authz or lua up for it, and take envoy.filters.http.rbac out of typed_per_filter_config of these routes")
		out = append(out, d)
	}
	return out
}

// admit adds to a policy that allows what rules allow, for what the permission
// says. No rules allow everybody.
func admit(out *rbacv3.RBAC, name string, permission *rbacv3.Permission, rules *rbacv3.RBAC) {
	who := []*rbacv3.Principal{anybody()}
	if rules != nil {
		who = rules.GetPolicies()["access"].GetPrincipals()
		if rules.GetAction() == rbacv3.RBAC_DENY {
			who = []*rbacv3.Principal{{Identifier: &rbacv3.Principal_NotId{NotId: &rbacv3.Principal{Identifier: &rbacv3.Principal_OrIds{OrIds: &rbacv3.Principal_Set{Ids: who}}}}}}
			if len(rules.GetPolicies()["access"].GetPrincipals()) == 1 && rules.GetPolicies()["access"].GetPrincipals()[0].GetAny() {
				return // nobody
			}
		}
	}
	out.Policies[name] = &rbacv3.Policy{Permissions: []*rbacv3.Permission{permission}, Principals: who}
}

// basic is the auth_basic that holds, nil for none. Envoy's filter reads {SHA}
// hashes alone, and refuses all routes for a file with any other, so that the
// location is closed instead until somebody has looked at the file.
func (im *importer) basic(loc *conf.Directive) *conf.Directive {
	d := im.one(loc, "auth_basic")
	file := im.one(loc, "auth_basic_user_file")
	if d == nil || d.Arg(0) == "off" {
		if d != nil {
			im.moot(d)
		}
		return nil
	}
	im.none(d, "Envoy's basic_auth takes {SHA} hashes alone, and refuses all routes for a file with another: everybody is refused here (403) until the file is right",
		"make "+file.Arg(0)+" with htpasswd -s, and put envoy.filters.http.basic_auth with users: {filename: …} in the place of the route's rbac")
	if file != nil {
		im.moot(file)
	}
	return d
}

// subrequestGate is auth_request: a service that says who may come in.
func (im *importer) subrequestGate(loc *conf.Directive, r *routev3.Route) (asked bool) {
	d := im.one(loc, "auth_request")
	if d == nil {
		return false
	}
	if d.Arg(0) == "off" {
		im.moot(d)
		return false
	}
	target := im.internal(loc, d.Arg(0))
	if target == nil {
		im.none(d, "the location that it names passes nothing on to an upstream: everybody is refused here (403)", "give envoy.filters.http.ext_authz a cluster to ask")
		im.perRoute(r, filterRBAC, &rbacfilterv3.RBACPerRoute{Rbac: &rbacfilterv3.RBAC{Rules: closed()}})
		return true
	}
	service := &authzv3.HttpService{
		ServerUri: &corev3.HttpUri{Uri: "http://" + target.host, HttpUpstreamType: &corev3.HttpUri_Cluster{Cluster: target.cluster},
			Timeout: lasting(im.period(im.one(target.loc, "proxy_read_timeout"), 60*time.Second))},
	}
	if path := strings.TrimSuffix(target.path, "/"); path != "" && !strings.Contains(path, "$") {
		service.PathPrefix = path
	} else if target.path == "" {
		service.PathPrefix = d.Arg(0)
	}
	// nginx answers a refusal with its own page, and passes no header on but this one.
	service.AuthorizationResponse = &authzv3.AuthorizationResponse{AllowedClientHeaders: also(nil, "www-authenticate")}
	im.passedOn(loc, r, service)
	m := &authzv3.ExtAuthzPerRoute{Override: &authzv3.ExtAuthzPerRoute_CheckSettings{CheckSettings: &authzv3.CheckSettings{
		ServiceOverride: &authzv3.CheckSettings_HttpService{HttpService: service}}}}
	im.perRoute(r, filterAuthz, m)
	im.approx(d, at(m, "check_settings.http_service"), "the service is asked for its path with the request's own path behind it; only its 200 lets in: where it answers another 2xx (204, or 202 as oauth2-proxy does), which nginx lets in too, everybody is refused", "let the service answer 200, and look at the beginning of the path")
	return true
}

// passedOn are what auth_request_set takes from the service's answer. What the client
// says in a header of that name must not stand for it where the service sends none:
// it goes before the service is asked.
func (im *importer) passedOn(loc *conf.Directive, r *routev3.Route, service *authzv3.HttpService) {
	forget := &forgetv3.Mutations{}
	for _, d := range im.inherited(loc, "auth_request_set") {
		name, ok := strings.CutPrefix(single(d.Arg(1)), "upstream_http_")
		if !ok {
			im.none(d, "only a header of the service's answer can be passed on", "")
			continue
		}
		name = strings.ReplaceAll(name, "_", "-")
		service.AuthorizationResponse.AllowedUpstreamHeaders = also(service.GetAuthorizationResponse().GetAllowedUpstreamHeaders(), name)
		im.exact(d, at(service, "authorization_response.allowed_upstream_headers"))
		if !asksWith(name) {
			forget.RequestMutations = append(forget.RequestMutations, &rulesv3.HeaderMutation{Action: &rulesv3.HeaderMutation_Remove{Remove: name}})
		}
	}
	if len(forget.GetRequestMutations()) > 0 {
		im.perRoute(r, filterForget, &forgetv3.HeaderMutationPerRoute{Mutations: forget})
	}
}

// asksWith reports whether the header is one that the service may tell the client by.
func asksWith(header string) bool {
	return header == "authorization" || header == "cookie" || header == "proxy-authorization"
}
