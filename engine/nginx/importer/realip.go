package importer

import (
	"fmt"
	"slices"
	"strings"

	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"

	"example.com/meshtui/engine/nginx/conf"
)

// belief is how nginx finds the client in a block: by the header of those whom it
// believes. The zero belief takes the peer. A listener of Envoy's has one.
type belief struct {
	header    string
	from      string
	recursive bool
}

func (im *importer) belief(block *conf.Directive) (b belief) {
	trusted := im.inherited(block, "set_real_ip_from")
	if len(trusted) == 0 {
		return b
	}
	for _, d := range trusted {
		b.from += d.Arg(0) + " "
	}
	b.header, b.recursive = "x-real-ip", im.turned(block, "real_ip_recursive", false)
	if d := im.one(block, "real_ip_header"); d != nil {
		b.header = strings.ToLower(d.Arg(0))
	}
	return b
}

// believes settles the believer of each site. Where nobody believes anybody that is
// the default server.
func (im *importer) believes(sites []*site) {
	someone := false
	for d := range im.conf.All() {
		someone = someone || d.Name == "set_real_ip_from"
	}
	for _, s := range sites {
		s.believer = s.first.d
		if !someone {
			continue
		}
		s.believer = im.believer(s)
		for _, sv := range s.servers {
			if of := im.believers[sv.d]; !slices.Contains(of, s.believer) {
				im.believers[sv.d] = append(of, s.believer)
			}
		}
	}
}

// believer is the block whose belief the site's listener has: the default server,
// or, where that has none and nobody asks for a peer's address, who has one first.
func (im *importer) believer(s *site) *conf.Directive {
	if im.belief(s.first.d) != (belief{}) {
		return s.first.d
	}
	var asks, has *conf.Directive
	for _, sv := range s.servers {
		for block := range inSettings(sv.d) {
			believes := im.belief(block) != belief{}
			if believes && has == nil && block.Name == "server" {
				has = block
			}
			if !im.sorts(block) {
				continue
			}
			if !believes {
				return s.first.d
			}
			if asks == nil {
				asks = block
			}
		}
	}
	return slices.Concat(some(asks), some(has), some(s.first.d))[0]
}

func some(d *conf.Directive) []*conf.Directive {
	if d == nil {
		return nil
	}
	return []*conf.Directive{d}
}

// inSettings is a server, its locations and what is within them.
func inSettings(block *conf.Directive) func(yield func(*conf.Directive) bool) {
	return func(yield func(*conf.Directive) bool) {
		var walk func(*conf.Directive) bool
		walk = func(b *conf.Directive) bool {
			if !yield(b) {
				return false
			}
			for _, in := range b.Block {
				if (in.Name == "location" || in.Name == "if" || in.Name == "limit_except") && !walk(in) {
					return false
				}
			}
			return true
		}
		walk(block)
	}
}

// sorts reports whether the access rules of a block ask for the client's address.
func (im *importer) sorts(block *conf.Directive) bool {
	return !im.closedToAll(block) && slices.ContainsFunc(im.accessRules(block), func(d *conf.Directive) bool { return d.Arg(0) != "all" })
}

// mistaken is why Envoy takes another address for the client's than nginx does in
// a block; "" where it takes the same.
func (im *importer) mistaken(block *conf.Directive) string {
	b := im.belief(block)
	for _, of := range im.believers[enclosing(block, "server")] {
		if im.belief(of) != b {
			return "set_real_ip_from and real_ip_header hold here otherwise than in " + of.Place() + ", and a listener of Envoy's finds the client in one way"
		}
	}
	switch b.header {
	case "", "proxy_protocol":
		return ""
	case "x-forwarded-for":
	default:
		return fmt.Sprintf("nginx finds the client in %s of those in set_real_ip_from, Envoy would believe it of anybody", b.header)
	}
	for _, d := range im.inherited(block, "set_real_ip_from") {
		if cidrOf(d.Arg(0)) == nil && d.Arg(0) != "unix:" {
			return "Envoy trusts addresses and networks alone, not " + d.Arg(0)
		}
	}
	return ""
}

// clients is access of those whom nginx finds in a block. Where Envoy finds others,
// nobody is let in.
func (im *importer) clients(block *conf.Directive) (rules *rbacv3.RBAC, from []*conf.Directive) {
	rules, from = im.access(block, client)
	if rules == nil || !im.sorts(block) {
		return rules, from
	}
	why := im.mistaken(block)
	if why == "" {
		return rules, from
	}
	for _, d := range from {
		im.moot(d)
	}
	im.none(from[0], "all requests are refused here (403), those too that nginx lets in: "+why,
		"let the proxy before send X-Forwarded-For, and say so once, in the default server; or give the server a listen of its own")
	return closed(), nil
}

// beliefs says of what a site's blocks believe beside its listener's belief that it
// does not hold.
func (im *importer) beliefs(s *site) {
	if len(im.believers) == 0 {
		return
	}
	one := im.belief(s.believer)
	for _, sv := range s.servers {
		for block := range inSettings(sv.d) {
			if im.belief(block) == one {
				continue
			}
			for _, name := range []string{"real_ip_header", "set_real_ip_from", "real_ip_recursive"} {
				for _, d := range im.children(block)[name] {
					im.none(d, "a listener of Envoy's finds the client in one way, that of "+s.believer.Place()+": the address in logs, headers and limits is another here",
						"give the server a listen of its own, or say it in the default server")
				}
			}
		}
	}
}

// asksAddress reports whether a predicate looks at the client's address.
func (p *predicate) asksAddress() bool {
	return p.op == opFrom || slices.ContainsFunc(p.of, (*predicate).asksAddress)
}
