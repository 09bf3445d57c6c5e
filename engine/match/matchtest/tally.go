package matchtest

import (
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"example.com/meshtui/engine/match"
)

// Tally counts what a run has covered, so that a run that tests nothing shows.
type Tally struct {
	Requests int
	Counts   map[string]map[string]int // group → thing → how often
}

// Add counts one request: its classes, and the way that was predicted for it.
func (t *Tally) Add(way match.Way, q Request) {
	t.Requests++
	t.count("action", action(way))
	t.count("domain", domainKind(way.Domain))
	if len(q.Classes) == 0 {
		t.count("class", "plain")
	}
	for _, c := range q.Classes {
		t.count("class", c)
	}
	if len(way.FilterChain) > 0 && way.FilterChain != "0" {
		t.count("filter chain", way.FilterChain)
	}
	if way.Entry == nil {
		return
	}
	rm := way.Entry.GetMatch()
	t.count("matched by", pathKind(rm))
	for kind, n := range map[string]int{
		"headers": len(rm.GetHeaders()), "query_parameters": len(rm.GetQueryParameters()), "cookies": len(rm.GetCookies()),
		"dynamic_metadata": len(rm.GetDynamicMetadata()), "filter_state": len(rm.GetFilterState()),
	} {
		if n > 0 {
			t.count("matched by", kind)
		}
	}
	for kind, has := range map[string]bool{"grpc": rm.GetGrpc() != nil, "runtime_fraction": rm.GetRuntimeFraction() != nil,
		"tls_context": rm.GetTlsContext() != nil, "case_sensitive: false": rm.GetCaseSensitive() != nil && !rm.GetCaseSensitive().GetValue()} {
		if has {
			t.count("matched by", kind)
		}
	}
	t.count("rewrite", rewriteKind(way))
}

func (t *Tally) count(group, thing string) {
	if t.Counts == nil {
		t.Counts = map[string]map[string]int{}
	}
	if t.Counts[group] == nil {
		t.Counts[group] = map[string]int{}
	}
	t.Counts[group][thing]++
}

// Share is how many of the requests had a thing, in percent.
func (t *Tally) Share(group, thing string) float64 {
	if t.Requests == 0 {
		return 0
	}
	return 100 * float64(t.Counts[group][thing]) / float64(t.Requests)
}

// Thin lists what came up too rarely for the run to say anything of it: every
// class of request, every kind of domain, match, rewrite and action has to be
// there once in so many requests.
func (t *Tally) Thin(once int) []string {
	want := map[string][]string{
		"class":      Classes(),
		"domain":     {"exact", "suffix", "prefix", "*", "none"},
		"matched by": matchKinds,
		"rewrite":    rewriteKinds,
		"action": {"route", "route to weighted clusters", "route, but 404", "route, but 500", "route, but 503", "redirect", "direct_response",
			"not_found: no virtual host", "not_found: no route", "refused 400", "refused 403", "refused 404", "refused 426", "refused 307"},
	}
	var out []string
	for _, group := range sorted(want) {
		for _, thing := range want[group] {
			if n := t.Counts[group][thing]; n*once < t.Requests {
				out = append(out, fmt.Sprintf("%s %q: %d of %d", group, thing, n, t.Requests))
			}
		}
	}
	return out
}

var matchKinds = []string{"prefix /", "prefix", "path", "safe_regex", "path_separated_prefix", "path template", "connect_matcher", "headers", "query_parameters",
	"cookies", "dynamic_metadata", "grpc", "runtime_fraction", "tls_context", "case_sensitive: false"}

var rewriteKinds = []string{"none", "prefix_rewrite", "regex_rewrite", "template rewrite", "path_rewrite", "path_redirect", "redirect prefix_rewrite", "redirect regex_rewrite",
	"host alone (HostRewriteLiteral)", "host alone (HostRewriteHeader)", "host alone (HostRewritePathRegex)", "host alone (AutoHostRewrite)", "host alone (HostRewrite)"}

// String is the tally as lines, one a group.
func (t *Tally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests", t.Requests)
	for _, group := range sorted(t.Counts) {
		things := sorted(t.Counts[group])
		slices.SortStableFunc(things, func(x, y string) int { return t.Counts[group][y] - t.Counts[group][x] })
		fmt.Fprintf(&b, "\n%s:", group)
		for _, thing := range things {
			fmt.Fprintf(&b, " %s %d;", thing, t.Counts[group][thing])
		}
	}
	return b.String()
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func action(way match.Way) string {
	s := string(way.Action)
	switch {
	case way.Action == match.Refused:
		s += fmt.Sprintf(" %d", way.Status)
	case way.Action == match.Forward && len(way.Weighted) > 0:
		s += " to weighted clusters"
	case way.Action == match.Forward && way.Status != 0:
		s += fmt.Sprintf(", but %d", way.Status)
	case way.Action == match.NotFound && way.VirtualHost == "":
		s += ": no virtual host"
	case way.Action == match.NotFound:
		s += ": no route"
	}
	return s
}

func domainKind(d string) string {
	switch {
	case d == "":
		return "none"
	case d == "*":
		return "*"
	case strings.HasPrefix(d, "*"):
		return "suffix"
	case strings.HasSuffix(d, "*"):
		return "prefix"
	}
	return "exact"
}

func pathKind(rm *routev3.RouteMatch) string {
	switch s := rm.GetPathSpecifier().(type) {
	case *routev3.RouteMatch_Prefix:
		if s.Prefix == "/" {
			return "prefix /"
		}
		return "prefix"
	case *routev3.RouteMatch_Path:
		return "path"
	case *routev3.RouteMatch_SafeRegex:
		return "safe_regex"
	case *routev3.RouteMatch_PathSeparatedPrefix:
		return "path_separated_prefix"
	case *routev3.RouteMatch_PathMatchPolicy:
		return "path template"
	case *routev3.RouteMatch_ConnectMatcher_:
		return "connect_matcher"
	}
	return "nothing"
}

func rewriteKind(way match.Way) string {
	a, r := way.Entry.GetRoute(), way.Entry.GetRedirect()
	switch {
	case r.GetPathRedirect() != "":
		return "path_redirect"
	case r.GetPrefixRewrite() != "":
		return "redirect prefix_rewrite"
	case r.GetRegexRewrite() != nil:
		return "redirect regex_rewrite"
	case a.GetPrefixRewrite() != "":
		return "prefix_rewrite"
	case a.GetRegexRewrite() != nil:
		return "regex_rewrite"
	case a.GetPathRewritePolicy() != nil:
		return "template rewrite"
	case a.GetPathRewrite() != "" || r.GetPathRewrite() != "":
		return "path_rewrite"
	case a.GetHostRewriteSpecifier() != nil:
		return fmt.Sprintf("host alone (%s)", strings.TrimPrefix(fmt.Sprintf("%T", a.GetHostRewriteSpecifier()), "*routev3.RouteAction_"))
	}
	return "none"
}
