package importer

import (
	"maps"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// mostCases is how many routes the values of variables make of one.
const mostCases = 16

// cases are the requests for each value that the variables of some texts may
// have, by map or by a set behind an if, in the order in which their routes must
// stand. Each knows the values. A variable of which routes cannot tell the values
// apart stays unknown.
func (w *writer) cases(q request, texts []string) []request {
	out := []request{q}
	for range mostHops { // a value may have variables too
		var next []request
		for _, q := range out {
			next = append(next, w.split(q, texts, mostCases/len(out))...)
		}
		if len(next) == len(out) && same(next, out) {
			return out
		}
		out = next
	}
	return out
}

// same reports whether nothing more became known from one round to the next.
func same(next, out []request) bool {
	for i := range next {
		if len(next[i].vars) != len(out[i].vars) {
			return false
		}
	}
	return true
}

// split is the requests for each value of the first variable that has some.
func (w *writer) split(q request, texts []string, most int) []request {
	for _, text := range texts {
		for _, p := range q.known(text) {
			if p.variable == "" {
				continue
			}
			rows, ok := w.tableOf(p.variable, &q, 0)
			if !ok {
				continue
			}
			if out := q.rows(p.variable, rows); len(out) > 0 && len(out) <= most {
				return out
			}
		}
	}
	return []request{q}
}

// rows are the requests for each row of a variable; none where routes cannot tell
// them apart.
func (q request) rows(variable string, rows table) (out []request) {
	for _, r := range rows {
		if r.why != "" || r.when.depth() > deepest {
			return nil
		}
		clauses, ok := r.when.clauses(false)
		if !ok {
			return nil
		}
		for _, c := range clauses {
			one := q
			one.match = c.match(q.match)
			if len(rows) > 1 {
				one.name = strings.TrimSpace(q.name + " for $" + variable + "=" + strings.NewReplacer("${", "$", "}", "").Replace(r.value.String()))
			}
			one.vars = map[string]template{variable: r.value}
			for name, value := range q.vars { // which may be put together of this one
				one.vars[name] = value.expand(func(of string) (template, bool) { return r.value, of == variable })
			}
			one.tables = maps.Clone(q.tables)
			delete(one.tables, variable)
			out = append(out, one)
		}
		if r.when.op == opTrue {
			break
		}
	}
	return out
}

// known is a text with what set and map have made of its variables.
func (q request) known(text string) template {
	return parse(text).expand(func(name string) (template, bool) {
		value, ok := q.vars[name]
		return value, ok
	})
}

// spoken is the same as a text; one of which nothing is known stays as it stands.
func (q request) spoken(text string) string {
	for _, p := range parse(text) {
		if _, ok := q.vars[p.variable]; ok {
			return q.known(text).String()
		}
	}
	return text
}

// headerTexts are the values of the headers that hold in block: those of answers,
// and with a pass of the requests that go on.
func (w *writer) headerTexts(block, pass *conf.Directive) (out []string) {
	for _, d := range w.inherited(block, "add_header") {
		out = append(out, d.Arg(1))
	}
	if pass == nil {
		return out
	}
	for _, d := range w.inherited(block, familyOf(pass)+"_set_header") {
		if name := strings.ToLower(d.Arg(0)); name != "upgrade" && name != "connection" {
			out = append(out, d.Arg(1))
		}
	}
	if w.plainMap(single(targetOf(pass))) {
		return out
	}
	return append(out, pass.Arg(0))
}

// targetOf is what a pass names without its scheme.
func targetOf(pass *conf.Directive) string {
	if _, rest, ok := strings.Cut(pass.Arg(0), "://"); ok {
		return rest
	}
	return pass.Arg(0)
}

// plainMap reports whether a variable is of a map from texts and expressions on
// one thing of the request to names of upstreams.
func (w *writer) plainMap(variable string) bool {
	http := enclosing(w.server.d, "http")
	if http == nil || variable == "" {
		return false
	}
	for _, m := range w.children(http)["map"] {
		if strings.TrimPrefix(m.Arg(1), "$") != variable {
			continue
		}
		for _, line := range m.Block {
			matcher, ok := valueMatcher(line.Name)
			if strings.Contains(line.Arg(0), "$") || !ok || line.Name != "default" && !new(choice).match(single(m.Arg(0)), matcher) {
				return false
			}
		}
		return len(m.Children("default")) > 0
	}
	return false
}
