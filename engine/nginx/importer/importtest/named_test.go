package importtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/engine/nginx/predict"
)

// foretold is the request as nginx's predictor is asked.
func foretold(q request, address string, port int) predict.Request {
	ip, _ := netip.ParseAddr(address)
	p := predict.Request{Address: ip, Port: uint32(port), Method: q.method, Host: q.host, Target: q.target, HTTP10: q.http10, Headers: q.others}
	if q.absolute {
		p.Target = "http://" + q.host + q.target
	}
	if q.noHost {
		p.Host = ""
	} else if q.host == "" {
		p.Headers = append([][2]string{{"Host", ""}}, q.others...)
	}
	return p
}

// names reports whether the import's report says in what the two differ here: on a
// line that the request passes in nginx, of the directive that it is about, and in
// the words of what Envoy did instead.
func (p pair) names(what string) bool {
	lines := passed(p.nginx)
	return slices.ContainsFunc(p.lab.made.Report, func(e importer.Entry) bool {
		return lines[e.Line] && about(e, what, p)
	})
}

// entries are those of the report on the way of a request.
func (p pair) entries() string {
	lines := passed(p.nginx)
	var b strings.Builder
	for _, e := range p.lab.made.Report {
		if d, _, _ := strings.Cut(e.Directive, " "); lines[e.Line] && d != "listen" && d != "map" && d != "geo" {
			fmt.Fprintf(&b, "%s: %s\n", e.Directive, e.Reason)
		}
	}
	return b.String()
}

func about(e importer.Entry, what string, p pair) bool {
	directive, rest, _ := strings.Cut(e.Directive, " ")
	if directive == "rewrite" && (strings.Contains(e.Reason, "may belong to several locations") || strings.Contains(e.Reason, "looks at a path that was rewritten before")) {
		return true
	}
	header, has := strings.CutPrefix(what, "header to the upstream: ")
	switch {
	case has:
		return directive == "proxy_set_header" && strings.HasPrefix(strings.ToLower(rest), header+" ") || directive == "proxy_pass_request_headers"
	case what == "body":
		return directive == "return"
	case what == "method":
		return directive == "proxy_method"
	case what == "target" || what == "Location":
		return strings.Contains(e.Reason, "query")
	case directive == "error_page" && what == "location hit" && p.e.hit == "" && p.n.status == p.e.status && strings.Contains(e.Reason, "the page does not come"):
		return true
	case directive == "error_page":
		return strings.Contains(e.Reason, "its own answer stays") || strings.Contains(e.Reason, "stays as it is") || strings.Contains(e.Reason, "get the status that is answered there")
	case what == "status" || what == "location hit":
		return strings.Contains(e.Reason, fmt.Sprint(p.e.status)) && p.e.status >= 300
	}
	header, has = strings.CutPrefix(what, "header to the client: ")
	return has && directive == "add_header" && strings.HasPrefix(strings.ToLower(rest), header+" ")
}

// passed are the lines of the directives that a request meets on its way through
// nginx, and of those that hold in the blocks that it comes to.
func passed(a predict.Answer) map[int]bool {
	lines := map[int]bool{}
	var blocks []*conf.Directive
	for _, s := range a.Steps {
		if s.At != nil {
			lines[s.At.Line] = true
			blocks = append(blocks, s.At)
		}
	}
	for _, b := range append(blocks, a.Location, a.Server) {
		for ; b != nil; b = b.Parent {
			for _, d := range b.Block {
				if d.Name != "location" && d.Name != "server" {
					lines[d.Line] = true
				}
			}
		}
	}
	return lines
}
