package merge_test

import (
	"fmt"
	"slices"
	"strings"
)

// node is a line of a text, with the lines in its braces.
type node struct {
	text  string
	block bool
	in    []*node
}

// tree reads a projected text, one directive a line.
func tree(text string) *node {
	root := &node{block: true}
	around := []*node{root}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		top := around[len(around)-1]
		switch {
		case line == "":
		case line == "}" && len(around) > 1:
			around = around[:len(around)-1]
		case strings.HasSuffix(line, "{") && !strings.HasPrefix(line, "#"):
			n := &node{text: strings.TrimSuffix(strings.TrimSuffix(line, "{"), " "), block: true}
			top.in = append(top.in, n)
			around = append(around, n)
		default:
			top.in = append(top.in, &node{text: line})
		}
	}
	return root
}

func (n *node) String() string {
	var b strings.Builder
	for _, in := range n.in {
		in.write(&b, 0)
	}
	return b.String()
}

func (n *node) write(b *strings.Builder, depth int) {
	pad := strings.Repeat("    ", depth)
	if !n.block {
		b.WriteString(pad + n.text + "\n")
		return
	}
	b.WriteString(pad + n.text + " {\n")
	for _, in := range n.in {
		in.write(b, depth+1)
	}
	b.WriteString(pad + "}\n")
}

func (n *node) clone() *node {
	out := &node{text: n.text, block: n.block}
	for _, in := range n.in {
		out.in = append(out.in, in.clone())
	}
	return out
}

// all are the nodes that begin with a word, with what they stand in.
func (n *node) all(word string) (out [][2]*node) {
	for _, in := range n.in {
		if in.text == word || strings.HasPrefix(in.text, word+" ") {
			out = append(out, [2]*node{n, in})
		}
		out = append(out, in.all(word)...)
	}
	return out
}

func (n *node) remove(in *node) {
	n.in = slices.DeleteFunc(n.in, func(o *node) bool { return o == in })
}

func (n *node) insert(w world, in *node) { n.in = slices.Insert(n.in, w.IntN(len(n.in)+1), in) }

// edit makes one random edit of a text, and says which.
func (w world) edit(root *node) string {
	kinds := []struct {
		name string
		do   func(*node) bool
	}{
		{"add a location", w.addLocation}, {"remove a location", w.removeLocation}, {"rename a location", w.renameLocation}, {"copy a location", w.copyLocation},
		{"move a location", w.moveLocation}, {"add a line", w.addLine}, {"remove a line", w.removeLine}, {"change an answer", w.changeAnswer},
		{"change a value", w.changeValue}, {"add an upstream server", w.addMember}, {"remove an upstream server", w.removeMember}, {"change an upstream server", w.changeMember},
		{"add a server", w.addServer}, {"remove a server", w.removeServer}, {"change a server_name", w.changeName}, {"change a listen", w.changeListen},
		{"add an upstream", w.addUpstream}, {"rename an upstream", w.renameUpstream}, {"change a share", w.changeShare}, {"move a server", w.moveServer},
		{"swap two lines", w.swapLines},
	}
	for range 50 {
		if k := kinds[w.IntN(len(kinds))]; k.do(root) {
			return k.name
		}
	}
	return "nothing"
}

func (w world) any(found [][2]*node) (in, n *node, ok bool) {
	if len(found) == 0 {
		return nil, nil, false
	}
	f := found[w.IntN(len(found))]
	return f[0], f[1], true
}

// servers are the server blocks with a location or a return.
func servers(root *node) (out [][2]*node) {
	for _, f := range root.all("server") {
		if f[1].block {
			out = append(out, f)
		}
	}
	return out
}

func (w world) addLocation(root *node) bool {
	_, s, ok := w.any(servers(root))
	if !ok {
		return false
	}
	name := w.locationName()
	if w.chance(40) {
		name = w.one("/new", "= /new", "/a/new/", "~ new$", "^~ /st")
	}
	s.insert(w, &node{text: "location " + name, block: true, in: tree(w.answer(name)).in})
	return true
}

func (w world) removeLocation(root *node) bool {
	in, n, ok := w.any(root.all("location"))
	if ok {
		in.remove(n)
	}
	return ok
}

func (w world) renameLocation(root *node) bool {
	_, n, ok := w.any(root.all("location"))
	if ok {
		n.text = "location " + w.locationName()
	}
	return ok
}

func (w world) copyLocation(root *node) bool {
	_, n, ok := w.any(root.all("location"))
	_, s, okS := w.any(servers(root))
	if ok && okS {
		c := n.clone()
		c.text = "location " + w.one("/copy", "= /copy", "/a/copy", n.text[len("location "):])
		s.insert(w, c)
	}
	return ok && okS
}

func (w world) moveLocation(root *node) bool {
	in, n, ok := w.any(root.all("location"))
	if !ok {
		return false
	}
	to := in
	if w.chance(30) {
		_, to, _ = w.any(servers(root))
	}
	in.remove(n)
	to.insert(w, n)
	return true
}

func (w world) addLine(root *node) bool {
	_, n, ok := w.any(append(root.all("location"), servers(root)...))
	if ok {
		n.insert(w, &node{text: strings.TrimSpace(w.one(w.setting(), w.setting(), "deny 10.0.0.0/8;", "deny all;", "client_max_body_size 3m;"))})
	}
	return ok
}

// leaf is a line of a server, a location or an upstream.
func (w world) leaf(root *node) (in, n *node, ok bool) {
	var found [][2]*node
	for _, f := range slices.Concat(root.all("location"), servers(root), root.all("upstream")) {
		for _, l := range f[1].in {
			if !l.block {
				found = append(found, [2]*node{f[1], l})
			}
		}
	}
	return w.any(found)
}

func (w world) removeLine(root *node) bool {
	in, n, ok := w.leaf(root)
	if ok {
		in.remove(n)
	}
	return ok
}

func (w world) swapLines(root *node) bool {
	_, n, ok := w.any(slices.Concat(root.all("location"), servers(root), root.all("upstream")))
	if !ok || len(n.in) < 2 {
		return false
	}
	i, j := w.IntN(len(n.in)), w.IntN(len(n.in))
	n.in[i], n.in[j] = n.in[j], n.in[i]
	return true
}

func (w world) changeAnswer(root *node) bool {
	_, n, ok := w.any(append(root.all("proxy_pass"), root.all("return")...))
	if !ok {
		return false
	}
	n.text = w.one("proxy_pass http://app;", "proxy_pass http://api;", "proxy_pass http://old;", "proxy_pass http://app/y;", "proxy_pass http://127.0.0.1:9051;", "proxy_pass https://api;",
		fmt.Sprintf("return 200 n%d;", w.IntN(100)), "return 302 /n;", "return 403;")
	return true
}

func (w world) changeValue(root *node) bool {
	_, n, ok := w.leaf(root)
	if !ok {
		return false
	}
	was := n.text
	n.text = strings.Map(func(r rune) rune {
		if r >= '1' && r <= '8' {
			return r + 1
		}
		return r
	}, n.text)
	return n.text != was && !strings.HasPrefix(n.text, "#")
}

func (w world) addMember(root *node) bool {
	_, u, ok := w.any(root.all("upstream"))
	if ok {
		u.insert(w, &node{text: fmt.Sprintf("server 127.0.0.1:%d%s;", 9060+w.IntN(9), w.one("", " weight=2", " down", " backup"))})
	}
	return ok
}

// members are the server lines of upstreams.
func members(root *node) (out [][2]*node) {
	for _, f := range root.all("server") {
		if !f[1].block {
			out = append(out, f)
		}
	}
	return out
}

func (w world) removeMember(root *node) bool {
	in, n, ok := w.any(members(root))
	if ok {
		in.remove(n)
	}
	return ok
}

func (w world) changeMember(root *node) bool {
	_, n, ok := w.any(members(root))
	if ok {
		address := strings.Fields(strings.TrimSuffix(n.text, ";"))[1]
		n.text = "server " + w.one(address, address, "127.0.0.1:9077") + w.one("", " weight=4", " down", " backup", " max_fails=3") + ";"
	}
	return ok
}

func (w world) addServer(root *node) bool {
	in, s, ok := w.any(servers(root))
	if !ok {
		return false
	}
	n := &node{text: "server", block: true, in: []*node{{text: "listen " + w.one("8080", "8081", "127.0.0.1:8080", "8090") + ";"}, {text: "server_name " + w.one("n.test", "*.n.test", "a.test") + ";"}}}
	if l := s.all("listen"); len(l) > 0 && w.chance(60) {
		n.in[0].text = l[0][1].text
	}
	n.in = append(n.in, tree(strings.Join(w.locations(3), "")).in...)
	in.insert(w, n)
	return true
}

func (w world) removeServer(root *node) bool {
	in, n, ok := w.any(servers(root))
	if ok {
		in.remove(n)
	}
	return ok
}

func (w world) moveServer(root *node) bool {
	in, n, ok := w.any(servers(root))
	if ok {
		in.remove(n)
		in.insert(w, n)
	}
	return ok
}

func (w world) changeName(root *node) bool {
	_, n, ok := w.any(root.all("server_name"))
	if ok {
		n.text = w.one("server_name n.test;", "server_name a.test n.test;", "server_name *.a.test;", "server_name _;", strings.TrimSuffix(n.text, ";")+" more.test;")
	}
	return ok
}

func (w world) changeListen(root *node) bool {
	_, n, ok := w.any(root.all("listen"))
	if ok {
		n.text = w.one("listen 8080;", "listen 8081;", "listen 8085;", "listen 127.0.0.1:8080;", "listen 8080 default_server;")
	}
	return ok
}

func (w world) addUpstream(root *node) bool {
	in, _, ok := w.any(servers(root))
	if !ok {
		return false
	}
	in.insert(w, &node{text: "upstream fresh", block: true, in: []*node{{text: "server 127.0.0.1:9080;"}, {text: "server 127.0.0.1:9081 weight=2;"}}})
	if _, p, ok := w.any(root.all("proxy_pass")); ok {
		p.text = "proxy_pass http://fresh;"
	}
	return true
}

func (w world) renameUpstream(root *node) bool {
	_, n, ok := w.any(root.all("upstream"))
	if !ok {
		return false
	}
	was := strings.TrimPrefix(n.text, "upstream ")
	n.text = "upstream renamed"
	for _, p := range root.all("proxy_pass") {
		p[1].text = strings.Replace(p[1].text, "http://"+was+";", "http://renamed;", 1)
		p[1].text = strings.Replace(p[1].text, "http://"+was+"/", "http://renamed/", 1)
	}
	for _, s := range root.all("split_clients") {
		for _, share := range s[1].in {
			share.text = strings.Replace(share.text, " "+was+";", " renamed;", 1)
		}
	}
	return true
}

func (w world) changeShare(root *node) bool {
	_, n, ok := w.any(root.all("split_clients"))
	if !ok || len(n.in) < 2 {
		return false
	}
	_, to, _ := strings.Cut(n.in[0].text, " ")
	n.in[0].text = w.one("20%", "50%", "75%") + " " + to
	return true
}
