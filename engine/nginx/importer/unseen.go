package importer

import (
	"regexp"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// takenOff are headers of a request that Envoy takes off, or sets anew, before it
// looks for a route, beside those of its own.
var takenOff = set("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te", "expect", "x-forwarded-client-cert")

// unseen is a header on which it hangs that a request is refused, and that nginx
// sees otherwise than Envoy's routes: where they miss it, or have it where none
// came, they would let in whom nginx refuses. It is "" where there is none. refused
// says whether those are refused that meet the predicate, or the others.
func (w *writer) unseen(p *predicate, refused bool) string {
	if p.op == opHeader {
		lacks := p.empty == refused // whoever has not the header is refused
		switch {
		case (takenOff[p.header] || strings.HasPrefix(p.header, "x-envoy-")) && !lacks:
			return p.header
		case p.header == "x-forwarded-proto" && lacks && w.adds(p) != p.empty:
			return p.header
		}
		return ""
	}
	for _, in := range p.of {
		if name := w.unseen(in, refused != (p.op == opNot)); name != "" {
			return name
		}
	}
	return ""
}

// adds reports whether the scheme meets a predicate: Envoy gives it to a request
// that came without X-Forwarded-Proto.
func (w *writer) adds(p *predicate) bool {
	re, err := regexp.Compile("^(?:" + regexOf(p.value()) + ")$")
	return err == nil && re.MatchString(w.scheme())
}

// hidesRefusal is why it cannot be said whom an if refuses, or whom what comes after
// it does; "" where it can.
func (w *writer) hidesRefusal(said *predicate, refuses bool, rest []*conf.Directive) string {
	name := ""
	if refuses {
		name = w.unseen(said, true)
	}
	if _, after := returnsRefusal(rest); after && name == "" {
		name = w.unseen(said, false)
	}
	if name == "" {
		return ""
	}
	return "Envoy takes the header " + name + " off, or sets it anew, before it looks for a route"
}
