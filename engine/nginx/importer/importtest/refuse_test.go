package importtest

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	rbacfilterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/match/routes"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
)

// TestWhomNginxRefusesEnvoyDoesNotLetIn is about what a change of proxies must
// never do: where nginx refuses a request by a rule of the file, no upstream may
// see it behind Envoy, unless the report says so on a line that has to do with it.
// MESHTUI_FUZZ_REFUSED is how many files to draw, MESHTUI_SEED where to begin.
func TestWhomNginxRefusesEnvoyDoesNotLetIn(t *testing.T) {
	t.Parallel()
	first, n := uint64(number(t, "MESHTUI_SEED", 1)), number(t, "MESHTUI_FUZZ_REFUSED", 400)
	refused, asked, failed, cleaned, said := 0, 0, 0, 0, 0
	for seed := first; seed < first+uint64(n); seed++ {
		m := newMaker(seed)
		text := m.gatedFile()
		c, err := conf.Parse("nginx.conf", conf.Text(text))
		if err != nil || len(c.Problems) > 0 {
			t.Fatalf("seed %d: %v %v\n%s", seed, err, c.Problems, text)
		}
		made := importer.Import(c)
		nginx, envoy := predict.New(c), match.New(made.Mesh)
		for range 60 {
			method, target, headers := m.gatedRequest()
			q := predict.Request{Method: method, Host: "a.test", Target: target, Port: 8080}
			e := &match.Request{Address: netip.MustParseAddr("127.0.0.1"), Port: 8080, Method: method, Host: "a.test", Path: target}
			for _, h := range headers {
				q.Headers = append(q.Headers, h)
				e.Headers = append(e.Headers, routes.Header{Name: h[0], Value: h[1]})
			}
			asked++
			a := nginx.Answer(q)
			if !byRule(a) {
				continue
			}
			refused++
			way := envoy.Match(e)
			if way.Action != match.Forward || shut(t, way, method) {
				continue
			}
			if clean := q; way.Path != target {
				if clean.Target = way.Path; !byRule(nginx.Answer(clean)) {
					cleaned++
					continue
				}
			}
			if admitted(a, made) {
				said++
				continue
			}
			if failed++; failed > 4 {
				continue
			}
			var steps []string
			for _, s := range a.Steps {
				steps = append(steps, s.Name+" "+s.Why)
			}
			t.Errorf("seed %d: %s %s %v: nginx %d (%s), Envoy sends it to %s by the route %q\n%s", seed, method, target, headers, a.Status, strings.Join(steps, "; "), way.Cluster, way.Entry.GetName(), text)
		}
	}
	t.Logf("%d files, %d requests, %d of them refused by nginx, %d cleaned by Envoy into what nginx lets in, %d let in as the report says, %d let in unsaid", n, asked, refused, cleaned, said, failed)
	if refused < asked/20 {
		t.Errorf("nginx refuses %d of %d requests, which is too few to hold anything", refused, asked)
	}
}

// byRule reports whether nginx certainly refuses a request by what the file says.
func byRule(a predict.Answer) bool {
	return len(a.Caveats) == 0 && (a.Action == predict.Refused || a.Action == predict.Return || a.Action == predict.Closed) &&
		(slices.Contains([]int{401, 403, 404, 405}, a.Status) || a.Action == predict.Closed)
}

// admitted reports whether the report says of a line on the request's way in nginx
// that Envoy lets in whom nginx refuses.
func admitted(a predict.Answer, made *importer.Result) bool {
	for _, e := range made.Report {
		for _, s := range a.Steps {
			if s.At != nil && s.At.Line == e.Line && (strings.Contains(e.Reason, "refuse") || strings.Contains(e.Reason, "lets in") || strings.Contains(e.Reason, "let in") ||
				strings.Contains(e.Reason, "may belong to several locations")) {
				return true
			}
		}
	}
	return false
}

// shut reports whether the rules of the route refuse every client that comes with
// this method. Who has to be asked is not let in by the rules alone.
func shut(t *testing.T, w match.Way, method string) bool {
	t.Helper()
	settings := w.Entry.GetTypedPerFilterConfig()
	if a := settings["envoy.filters.http.ext_authz"]; a.MessageIs(&authzv3.ExtAuthzPerRoute{}) {
		return false
	}
	m := &rbacfilterv3.RBACPerRoute{}
	if settings["envoy.filters.http.rbac"].UnmarshalTo(m) != nil {
		return false
	}
	rules := m.GetRbac().GetRules()
	for _, p := range rules.GetPolicies() {
		sure := rules.GetAction() == rbacv3.RBAC_DENY // what is denied has to be certain, what is allowed only possible
		what := slices.ContainsFunc(p.GetPermissions(), func(r *rbacv3.Permission) bool { return permits(t, r, method) })
		who := slices.ContainsFunc(p.GetPrincipals(), func(r *rbacv3.Principal) bool { return takes(t, r, !sure) })
		if what && who {
			return sure
		}
	}
	return rules.GetAction() == rbacv3.RBAC_ALLOW
}

// permits evaluates the permissions that the importer writes.
func permits(t *testing.T, r *rbacv3.Permission, method string) bool {
	t.Helper()
	of := func(r *rbacv3.Permission) bool { return permits(t, r, method) }
	switch k := r.GetRule().(type) {
	case *rbacv3.Permission_Any:
		return true
	case *rbacv3.Permission_NotRule:
		return !of(k.NotRule)
	case *rbacv3.Permission_AndRules:
		return !slices.ContainsFunc(k.AndRules.GetRules(), func(r *rbacv3.Permission) bool { return !of(r) })
	case *rbacv3.Permission_OrRules:
		return slices.ContainsFunc(k.OrRules.GetRules(), of)
	case *rbacv3.Permission_Header:
		return slices.Contains(strings.Split(k.Header.GetStringMatch().GetSafeRegex().GetRegex(), "|"), method)
	}
	t.Fatalf("a permission that this test does not know: %v", r)
	return false
}

// takes reports whether there can be (maybe), or has to be, a client that the
// principal takes: an address is any.
func takes(t *testing.T, p *rbacv3.Principal, maybe bool) bool {
	t.Helper()
	of := func(p *rbacv3.Principal) bool { return takes(t, p, maybe) }
	switch k := p.GetIdentifier().(type) {
	case *rbacv3.Principal_Any:
		return true
	case *rbacv3.Principal_RemoteIp, *rbacv3.Principal_DirectRemoteIp:
		return maybe
	case *rbacv3.Principal_NotId:
		return !takes(t, k.NotId, !maybe)
	case *rbacv3.Principal_AndIds:
		return !slices.ContainsFunc(k.AndIds.GetIds(), func(p *rbacv3.Principal) bool { return !of(p) })
	case *rbacv3.Principal_OrIds:
		return slices.ContainsFunc(k.OrIds.GetIds(), of)
	}
	t.Fatalf("a principal that this test does not know: %v", p)
	return false
}
