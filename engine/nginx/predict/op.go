package predict

import (
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// op is one directive of the rewrite module. They run in file order, first those
// of the server, then those of the location.
type op interface {
	// run does it, and reports whether the ones after it are left out.
	run(e *run) (stop bool)
}

// code compiles the directives of a block.
func (s *Server) code(block *conf.Directive, depth int) []op {
	var out []op
	for _, d := range block.Block {
		switch d.Name {
		case "rewrite":
			if len(d.Args) >= 2 && d.Args[1] != "" {
				out = append(out, s.newRewrite(d))
			}
		case "return":
			if r := newReturn(d); r != nil {
				out = append(out, r)
			}
		case "break":
			out = append(out, breakOp{})
		case "set":
			if name, found := strings.CutPrefix(d.Arg(0), "$"); found && len(d.Args) == 2 {
				s.assigned[name] = true
				out = append(out, &setOp{name: name, to: parseTemplate(d.Arg(1), false)})
			}
		case "if":
			if depth > maxDepth {
				continue
			}
			i := s.newIf(d)
			i.code = s.code(d, depth+1)
			out = append(out, i)
		}
	}
	return out
}

// rewriteOp is `rewrite`.
type rewriteOp struct {
	at       *conf.Directive
	re       *pattern
	to       template
	status   int  // 301 or 302 for a redirect
	question bool // the replacement has arguments
	addArgs  bool // the request's own are appended
	last     bool // the ones after it are left out
	stay     bool // `break`: the location stays
}

func (s *Server) newRewrite(d *conf.Directive) *rewriteOp {
	r := &rewriteOp{at: d, re: s.regexOf(d.Arg(0), false), addArgs: true}
	to := d.Arg(1)
	for _, scheme := range []string{"http://", "https://", "$scheme"} {
		if strings.HasPrefix(to, scheme) {
			r.status, r.last = 302, true
		}
	}
	switch d.Arg(2) {
	case "last":
		r.last = true
	case "break":
		r.last, r.stay = true, true
	case "redirect":
		r.last, r.status = true, 302
	case "permanent":
		r.last, r.status = true, 301
	}
	if strings.HasSuffix(to, "?") {
		to, r.addArgs = to[:len(to)-1], false
	}
	r.question = strings.Contains(to, "?")
	r.to = parseTemplate(to, r.status == 0)
	return r
}

func (r *rewriteOp) run(e *run) (stop bool) {
	if r.re.bad != "" {
		return e.giveUp(r.at, "its expression is not followed: "+r.re.bad)
	}
	groups := r.re.match(e.path)
	if groups == nil {
		e.groups, e.groupsBad = nil, "" // what was captured before is lost
		return false
	}
	e.take(r.re, groups)
	e.internal, e.asSent = true, false // also where it redirects, and an error_page then passes the request on
	if r.status != 0 {
		return r.redirect(e)
	}
	if r.stay {
		e.inPlace, e.changed = true, false
	} else {
		e.changed = true
	}
	path, args, had := "", "", false
	for at := 0; at < len(r.to); {
		if r.to[at].args {
			had, e.leaked = true, true
			at++
			continue
		}
		v := e.fill(r.to[at:at+1], had)
		if !v.known() {
			return e.giveUp(r.at, v.unknown)
		}
		if had {
			args += v.s
		} else {
			path += v.s
		}
		if at++; len(path)+len(args) > maxText {
			return e.giveUp(r.at, "its text is longer than a request's could be")
		}
	}
	switch {
	case had && r.addArgs && e.args != "":
		args += "&" + e.args
	case !had && r.addArgs:
		args = e.args
	}
	e.quote, e.path, e.args = false, path, args
	if path == "" {
		e.answerStatus(500, "the rewritten URI is empty", r.at, Refused)
		return true
	}
	e.step("uri", strings.TrimSpace(shown(path)+" "+flagOf(r)), "`"+written(r.at)+"` matches", r.at)
	return r.last
}

func flagOf(r *rewriteOp) string {
	if r.stay {
		return "(the location stays)"
	}
	return ""
}

// redirect answers with a Location.
func (r *rewriteOp) redirect(e *run) (stop bool) {
	v := e.fill(r.to, true)
	if !v.known() {
		return e.giveUp(r.at, v.unknown)
	}
	to := unescapeRedirect(v.s)
	if r.addArgs && e.args != "" {
		if r.question {
			to += "&" + e.args
		} else {
			to += "?" + e.args
		}
	}
	e.quote = false
	if !r.last { // cannot be: every redirect is the last
		return false
	}
	e.redirect(r.status, to, "`"+written(r.at)+"` matches", r.at)
	return true
}

// returnOp is `return`.
type returnOp struct {
	at     *conf.Directive
	status int
	text   template
	bare   bool // a status alone
}

// newReturn is nil where nginx takes the directive not.
func newReturn(d *conf.Directive) *returnOp {
	arg := d.Arg(0)
	status, err := strconv.Atoi(arg)
	switch {
	case err == nil && status >= 0 && status <= 999:
		return &returnOp{at: d, status: status, text: parseTemplate(d.Arg(1), false), bare: len(d.Args) == 1}
	case len(d.Args) == 1 && (strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://") || strings.HasPrefix(arg, "$scheme")):
		return &returnOp{at: d, status: 302, text: parseTemplate(arg, false)}
	}
	return nil
}

func (r *returnOp) run(e *run) (stop bool) {
	const why = "`return` ends the request here, before any access rule and any proxy_pass of the same block"
	v := e.fill(r.text, false)
	switch {
	case r.status < 200:
		return e.giveUp(r.at, "what a client makes of this status differs")
	case r.bare && r.status >= 400:
		e.answerStatus(r.status, why, r.at, Return)
	case isRedirect(r.status):
		if !v.known() {
			return e.giveUp(r.at, v.unknown)
		}
		e.redirect(r.status, v.s, why, r.at)
	default:
		e.answerText(r, v, why)
	}
	return true
}

func isRedirect(status int) bool {
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308
}

// breakOp is `break`.
type breakOp struct{}

func (breakOp) run(e *run) (stop bool) {
	if e.changed {
		e.inPlace, e.changed = true, false
	}
	return true
}

// setOp is `set`.
type setOp struct {
	name string
	to   template
}

func (o *setOp) run(e *run) (stop bool) {
	v := e.fill(o.to, e.quote)
	if o.name == "args" {
		if !v.known() {
			return e.giveUp(nil, v.unknown)
		}
		e.args, e.asSent = v.s, false
		return false
	}
	e.vars[o.name] = v
	return false
}

// ifOp is `if`.
type ifOp struct {
	at       *conf.Directive
	inServer bool
	variable string
	operator string // "", "=", "!=", "~", "!~", "file"
	value    template
	re       *pattern
	code     []op
}

func (s *Server) newIf(d *conf.Directive) *ifOp {
	i := &ifOp{at: d, inServer: d.Parent != nil && d.Parent.Name == "server"}
	args := d.Args
	if len(args) == 0 || !strings.HasPrefix(args[0], "$") {
		i.operator = "file"
		return i
	}
	i.variable, _ = variableName(args[0][1:])
	if len(args) < 3 {
		return i
	}
	switch op := args[1]; op {
	case "=", "!=":
		i.operator, i.value = op, parseTemplate(args[2], false)
	case "~", "~*", "!~", "!~*":
		i.operator = strings.TrimSuffix(op, "*")
		i.re = s.regexOf(args[2], strings.HasSuffix(op, "*"))
	default:
		i.operator = "file"
	}
	return i
}

// holds is whether the condition does.
func (i *ifOp) holds(e *run) (yes bool, unknown string) {
	if i.operator == "file" {
		return false, "it asks for a file, and nothing is known of what lies on the disk"
	}
	v := e.variable(i.variable, 0)
	if !v.known() {
		return false, v.unknown
	}
	switch i.operator {
	case "=", "!=":
		want := e.fill(i.value, e.quote)
		return (v.s == want.s) == (i.operator == "="), want.unknown
	case "~", "!~":
		if i.re.bad != "" {
			return false, "its expression is not followed: " + i.re.bad
		}
		groups := i.re.match(v.s)
		e.groups, e.groupsBad = nil, ""
		if groups != nil {
			e.take(i.re, groups)
		}
		return (groups != nil) == (i.operator == "~"), ""
	}
	return v.s != "" && v.s != "0", ""
}

func (i *ifOp) run(e *run) (stop bool) {
	yes, unknown := i.holds(e)
	if unknown != "" {
		return e.giveUp(i.at, unknown)
	}
	if !yes {
		return false
	}
	e.step("action", written(i.at), "the condition holds", i.at)
	if !i.inServer {
		e.ctx = i.at
	}
	for _, o := range i.code {
		if o.run(e) {
			return true
		}
	}
	return false
}
