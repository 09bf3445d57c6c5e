package merge

import (
	"cmp"
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// trees says which directive of the edited text is which of the shown one.
type trees struct {
	now map[*conf.Directive]*conf.Directive // of the shown text: what it is in the edited one
	was map[*conf.Directive]*conf.Directive // of the edited text: what it was
}

// align compares two texts. A block that was renamed or whose arguments changed
// is the same block as long as enough of what stands in it is.
func align(shown, edited *conf.Config) *trees {
	t := &trees{now: map[*conf.Directive]*conf.Directive{}, was: map[*conf.Directive]*conf.Directive{}}
	t.blocks(shown.Main, edited.Main)
	return t
}

func (t *trees) pair(was, now *conf.Directive) {
	t.now[was], t.was[now] = now, was
	t.blocks(was.Block, now.Block)
}

// blocks aligns what stands in two blocks: what is the same to the letter, what
// is called the same, what is much the same, and at last single directives of one
// name in their order.
func (t *trees) blocks(was, now []*conf.Directive) {
	t.by(was, now, written)
	t.by(was, now, identity)
	t.by(was, now, named)
	t.similar(was, now)
	t.by(was, now, ordinal)
}

// by pairs what has the same key, each in its order; "" is no key.
func (t *trees) by(was, now []*conf.Directive, key func(*conf.Directive) string) {
	free := map[string][]*conf.Directive{}
	for _, d := range now {
		if k := key(d); t.was[d] == nil && k != "" {
			free[k] = append(free[k], d)
		}
	}
	for _, d := range was {
		if t.now[d] != nil {
			continue
		}
		if k := key(d); len(free[k]) > 0 {
			t.pair(d, free[k][0])
			free[k] = free[k][1:]
		}
	}
}

// similar pairs the blocks that are left over and have most in common.
func (t *trees) similar(was, now []*conf.Directive) {
	type likeness struct {
		was, now *conf.Directive
		share    float64
	}
	var all []likeness
	for _, a := range was {
		if t.now[a] != nil || !a.IsBlock {
			continue
		}
		for _, b := range now {
			if t.was[b] != nil || b.Name != a.Name {
				continue
			}
			if s := alike(a, b); s >= 0.5 || s > 0 && named(b) != "" && shareName(a, b) {
				all = append(all, likeness{a, b, s})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b likeness) int { return cmp.Compare(b.share, a.share) })
	for _, l := range all {
		if t.now[l.was] == nil && t.was[l.now] == nil {
			t.pair(l.was, l.now)
		}
	}
}

// shareName reports whether two servers have a name in common.
func shareName(a, b *conf.Directive) bool {
	names := serverNames(b)
	return slices.ContainsFunc(serverNames(a), func(n string) bool { return n != "_" && slices.Contains(names, n) })
}

// alike is the share of directives that two blocks have in common; a block counts
// by what it is called where it says something else.
func alike(a, b *conf.Directive) float64 {
	if len(a.Block)+len(b.Block) == 0 {
		return 0
	}
	count := map[string]int{}
	key := func(d *conf.Directive) string {
		if isLocation(d) {
			return identity(d)
		}
		return written(d)
	}
	for _, d := range a.Block {
		count[key(d)]++
	}
	common := 0
	for _, d := range b.Block {
		if k := key(d); count[k] > 0 {
			count[k]--
			common++
		}
	}
	return 2 * float64(common) / float64(len(a.Block)+len(b.Block))
}

// written is everything that a directive says, its block too.
func written(d *conf.Directive) string {
	var b strings.Builder
	write(&b, d)
	return b.String()
}

func write(b *strings.Builder, d *conf.Directive) {
	b.WriteString(d.Name)
	for _, a := range d.Args {
		b.WriteByte(0)
		b.WriteString(a)
	}
	if d.IsBlock {
		b.WriteString("\x01")
		for _, in := range d.Block {
			write(b, in)
			b.WriteString("\x02")
		}
		b.WriteString("\x03")
	}
}

// same reports whether a directive's own arguments are the same.
func same(a, b *conf.Directive) bool { return a.Name == b.Name && slices.Equal(a.Args, b.Args) }

// identity is what makes a directive the one that it is among its neighbours,
// whatever else it says.
func identity(d *conf.Directive) string {
	switch {
	case shares(d.Parent):
		return "share\x00" + d.Arg(0)
	case d.Name == "location":
		modifier, name := location(d)
		if modifier == "^~" {
			modifier = ""
		}
		return "location\x00" + modifier + "\x00" + name
	case isServer(d):
		return "server\x00" + strings.Join(listens(d), " ") + "\x00" + strings.Join(serverNames(d), " ")
	case d.Name == "server_name":
		return "server_name\x00" + strings.Join(d.Args, " ")
	case d.Name == "split_clients":
		return "split_clients\x00" + d.Arg(1)
	case oneOfMany[d.Name] || d.Name == "server":
		return d.Name + "\x00" + strings.ToLower(d.Arg(0))
	case d.Name == "if":
		return "if\x00" + strings.Join(d.Args, " ")
	}
	return d.Name
}

// oneOfMany are the directives that may stand several times in one block, told
// apart by their first argument.
var oneOfMany = map[string]bool{
	"listen": true, "upstream": true, "set": true, "rewrite": true, "mirror": true, "map": true, "geo": true, "add_header": true, "add_trailer": true,
	"proxy_set_header": true, "proxy_hide_header": true, "proxy_pass_header": true, "grpc_set_header": true, "grpc_hide_header": true, "allow": true,
	"deny": true, "limit_req": true, "limit_req_zone": true, "limit_conn": true, "error_page": true, "access_log": true, "log_format": true,
	"proxy_redirect": true, "proxy_cookie_path": true, "ssl_certificate": true, "ssl_certificate_key": true, "return": false,
}

// named finds a server again by its names alone, or by its address alone where it
// has only the catch-all.
func named(d *conf.Directive) string {
	if !isServer(d) {
		return ""
	}
	names := serverNames(d)
	if len(names) == 0 || len(names) == 1 && names[0] == "_" {
		return "at\x00" + strings.Join(listens(d), " ")
	}
	return strings.Join(names, " ")
}

// ordinal pairs what is left of the directives that come one for one.
func ordinal(d *conf.Directive) string {
	switch {
	case shares(d.Parent):
		return "share"
	case d.Name == "listen" || d.Name == "server_name":
		return d.Name
	}
	return ""
}

// shares reports whether a block holds shares rather than directives.
func shares(d *conf.Directive) bool { return d != nil && d.Name == "split_clients" }

// isServer reports whether d is a server block.
func isServer(d *conf.Directive) bool { return d.Name == "server" && d.IsBlock }

// isMember reports whether d is a server line of an upstream.
func isMember(d *conf.Directive) bool {
	return d.Name == "server" && !d.IsBlock && d.Parent != nil && d.Parent.Name == "upstream"
}

// location is a location's modifier and name. nginx takes them as one word too.
func location(d *conf.Directive) (modifier, name string) {
	if len(d.Args) > 1 {
		return d.Args[0], d.Args[1]
	}
	word := d.Arg(0)
	for _, m := range []string{"~*", "^~", "=", "~"} {
		if rest, ok := strings.CutPrefix(word, m); ok {
			return m, rest
		}
	}
	return "", word
}

func listens(server *conf.Directive) []string {
	var out []string
	for _, d := range server.Children("listen") {
		out = append(out, d.Arg(0))
	}
	slices.Sort(out)
	return out
}

func serverNames(server *conf.Directive) []string {
	var out []string
	for _, d := range server.Children("server_name") {
		for _, n := range d.Args {
			out = append(out, strings.ToLower(n))
		}
	}
	slices.Sort(out)
	return out
}
