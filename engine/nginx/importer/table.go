package importer

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// table is what a variable may be: the value of the first row whose requests it
// is asked for. Its last row takes all.
type table []row

type row struct {
	when  *predicate
	value template
	why   string // the value is not known
}

// unknown is a variable of which nothing is known.
func unknown(why string) table { return table{{when: holds(true), why: why}} }

// meets is a test of a variable that a table gives: which requests meet it.
func (w *writer) meets(rows table, t test, q *request, depth int) (*predicate, string) {
	out := holds(false)
	for _, r := range slices.Backward(rows) {
		if r.why != "" {
			return nil, r.why
		}
		p, why := w.onTemplate(r.value, t, q, depth)
		if why == "" && max(p.size(), out.size()) > mostParts {
			why = fmt.Sprintf("the condition has more than %d parts", mostParts)
		}
		if why != "" {
			return nil, why
		}
		switch p.op {
		case opTrue:
			out = r.when.or(out)
		case opFalse:
			out = r.when.unless().and(out)
		default:
			out = r.when.and(p).or(r.when.unless().and(out))
		}
	}
	return out, ""
}

// onTemplate is a test of a text with variables in it.
func (w *writer) onTemplate(value template, t test, q *request, depth int) (*predicate, string) {
	if text, ok := value.literal(); ok {
		return w.decided(t, text)
	}
	if len(value) != 1 {
		return nil, "$" + t.variable + " is put together of several values"
	}
	t.variable = value[0].variable
	p, _, why := w.asks(t, q, depth+1)
	return p, why
}

// tableOf is the rows of a variable that is not the request's own: of a set
// behind an if, a map, a geo, or the check of the client's certificate. ok is
// false for any other.
func (w *writer) tableOf(name string, q *request, depth int) (rows table, ok bool) {
	if rows, ok := q.tables[name]; ok {
		return rows, true
	}
	http := enclosing(w.server.d, "http")
	if http == nil {
		return nil, false
	}
	if all := w.maps()[name]; len(all) > 0 {
		d := all[0]
		if w.spend(stepCost * len(d.Block)); d.Name == "map" {
			return w.mapped(d, q, depth), true
		}
		return w.located(d), true
	}
	if name == "ssl_client_verify" {
		return w.verified(), true
	}
	return nil, false
}

// verified is what nginx says of the client's certificate. One that does not
// stand the check ends the handshake in Envoy.
func (w *writer) verified() table {
	none := row{when: holds(true), value: template{{text: "NONE"}}}
	if !w.server.tls {
		return table{{when: holds(true)}}
	}
	d := w.one(w.server.d, "ssl_verify_client")
	switch {
	case d == nil || d.Arg(0) == "off":
		return table{none}
	case d.Arg(0) == "optional_no_ca":
		return unknown("with optional_no_ca Envoy does not tell a certificate that is good from any other")
	}
	return table{{when: &predicate{op: opCertificate}, value: template{{text: "SUCCESS"}}}, none}
}

// mapped is the rows of a map: texts before names with a *, expressions last.
func (w *writer) mapped(m *conf.Directive, q *request, depth int) table {
	source := parse(m.Arg(0))
	if depth > mostHops {
		return unknown("$" + strings.TrimPrefix(m.Arg(1), "$") + " is a map of maps without end")
	}
	otherwise := row{when: holds(true)}
	hostnames := len(m.Children("hostnames")) > 0
	groups := map[int]table{}
	for _, line := range m.Block {
		t := test{variable: strings.TrimPrefix(m.Arg(1), "$"), op: "=", value: line.Name, fold: true}
		group, value := 0, parse(line.Arg(0)).expand(w.values(*q))
		switch {
		case line.Name == "hostnames" || line.Name == "volatile":
			continue
		case line.Name == "include":
			return unknown("the map has values in a file that was not found")
		case line.Name == "default":
			otherwise.value = value
			continue
		case strings.HasPrefix(line.Name, "~*"):
			group, t = 1<<20, test{variable: t.variable, op: "~*", value: line.Name[2:]}
		case strings.HasPrefix(line.Name, "~"):
			group, t = 1<<20, test{variable: t.variable, op: "~", value: line.Name[1:]}
		case hostnames && strings.Contains(line.Name, "*") || hostnames && strings.HasPrefix(line.Name, "."):
			group, t = 1000-len(line.Name), test{variable: t.variable, op: "~*", value: wildcard(line.Name)}
			if strings.HasSuffix(line.Name, "*") {
				group += 2000
			}
		default:
			t.value = strings.TrimPrefix(t.value, `\`)
		}
		p, why := w.onTemplate(source, t, q, depth)
		if why != "" {
			return unknown(why)
		}
		groups[group] = append(groups[group], row{when: p, value: value})
	}
	w.moot(m)
	var out table
	for _, n := range slices.Sorted(maps.Keys(groups)) {
		out = append(out, groups[n]...)
	}
	return append(out, otherwise)
}

// wildcard is the expression of a name with a * at one side, or a dot before it.
func wildcard(name string) string {
	switch {
	case strings.HasPrefix(name, "."):
		return `^(?:.*\.)?` + regexp.QuoteMeta(name[1:]) + "$"
	case strings.HasPrefix(name, "*."):
		return regexp.QuoteMeta(name[1:]) + "$"
	}
	return "^" + regexp.QuoteMeta(strings.TrimSuffix(name, "*"))
}

// located is the rows of a geo: the longest network first.
func (w *writer) located(g *conf.Directive) table {
	if len(g.Args) > 1 && g.Arg(0) != "$remote_addr" {
		return unknown("the geo looks at " + g.Arg(0) + ", and Envoy compares the client's address alone with networks")
	}
	otherwise := row{when: holds(true)}
	var out table
	for _, line := range g.Block {
		value := template{}
		if line.Arg(0) != "" {
			value = template{{text: line.Arg(0)}}
		}
		c := cidrOf(line.Name)
		switch {
		case line.Name == "default":
			otherwise.value = value
		case c == nil:
			return unknown("the geo has " + line.Name + ", which Envoy has nothing for")
		default:
			out = append(out, row{when: &predicate{op: opFrom, network: c}, value: value})
		}
	}
	slices.SortStableFunc(out, func(a, b row) int {
		return cmp.Compare(b.when.network.GetPrefixLen().GetValue(), a.when.network.GetPrefixLen().GetValue())
	})
	w.moot(g)
	return append(out, otherwise)
}

// mostRows is how many values of a variable are told apart that set has set.
const mostRows = 256

// own gives a request variables that no other shares, before one is set.
func (w *writer) own(q *request) {
	if q.owned {
		return
	}
	w.spend(stepCost * (len(q.tables) + len(q.vars)))
	q.tables, q.vars, q.owned = maps.Clone(q.tables), maps.Clone(q.vars), true
	if q.tables == nil {
		q.tables = map[string]table{}
	}
}

// assign is a set, of the requests that meet when.
func (w *writer) assign(q *request, d *conf.Directive, when *predicate) {
	name := strings.TrimPrefix(d.Arg(0), "$")
	rows := w.rows(w.set(d, *q), q)
	if when.op != opTrue && len(rows)+len(q.tables[name]) > mostRows {
		rows = unknown(fmt.Sprintf("$%s may have more than %d values", name, mostRows))
	} else if when.op != opTrue {
		old, ok := q.tables[name]
		if !ok {
			old = table{{when: holds(true), value: q.vars[name]}}
		}
		for i := range rows {
			rows[i].when = when.and(rows[i].when)
		}
		rows = append(rows, old...)
	}
	w.own(q)
	delete(q.tables, name)
	delete(q.vars, name)
	if len(rows) == 1 && rows[0].why == "" {
		q.vars[name] = rows[0].value
		return
	}
	q.tables[name] = rows
}

// rows are what a text may be, in which a variable with several values may stand.
func (w *writer) rows(value template, q *request) table {
	of := ""
	for _, p := range value {
		if _, ok := q.tables[p.variable]; ok && p.variable != "" && p.variable != of {
			if of != "" {
				return unknown("it is put together of several values")
			}
			of = p.variable
		}
	}
	if of == "" {
		return table{{when: holds(true), value: value}}
	}
	out := slices.Clone(q.tables[of])
	for i, r := range out {
		out[i].value = value.expand(func(name string) (template, bool) { return r.value, name == of })
	}
	return out
}

// forget is the sets of a block that may be followed, or may not.
func (w *writer) forget(q *request, block *conf.Directive, why string) {
	for _, d := range block.Block {
		if d.Name == "set" {
			name := strings.TrimPrefix(d.Arg(0), "$")
			w.own(q)
			delete(q.vars, name)
			q.tables[name] = unknown("what $" + name + " is hangs on the if of " + block.Place() + ": " + why)
		}
	}
}
