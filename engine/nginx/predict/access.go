package predict

import (
	"fmt"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// tooLarge refuses a body that is longer than client_max_body_size.
func (e *run) tooLarge() bool {
	most := e.s.set.bytes(e.ctx, "client_max_body_size", 0, 1<<20)
	length, err := strconv.ParseInt(e.header("content_length"), 10, 64)
	if err != nil || most == 0 || length <= most || e.discarded {
		return false
	}
	e.discarded = true // where an error_page leads, there is none
	e.answerStatus(413, fmt.Sprintf("the body of %d bytes is larger than client_max_body_size, %d", length, most), e.s.set.one(e.ctx, "client_max_body_size"), Refused)
	return true
}

// refuses goes through what may keep a request from its content, as far as that is
// certain; the rest is a caveat.
func (e *run) refuses() (done bool) {
	for _, name := range []string{"limit_req", "limit_conn"} {
		if d := e.s.set.one(e.ctx, name); d != nil {
			e.caveat(d, "may answer 503 under load")
		}
	}
	denied, deny := e.denied()
	locked, auth := e.locked()
	if d := e.s.set.one(e.ctx, "satisfy"); d != nil && d.Arg(0) == "any" && (deny != nil || auth != nil) {
		if denied && locked {
			e.answerStatus(401, "neither the address nor a password lets the request in (satisfy any)", auth, Refused)
			return true
		}
		return false
	}
	switch {
	case denied:
		e.answerStatus(403, "`deny` keeps every address out", deny, Refused)
		return true
	case locked:
		e.answerStatus(401, "a password is asked for, and the request has none", auth, Refused)
		return true
	}
	if d := e.s.set.one(e.ctx, "auth_request"); d != nil && d.Arg(0) != "off" {
		e.caveat(d, "asks another location whether the request is let in")
	}
	return false
}

// denied is whether allow and deny keep out whoever asks, and the rule that has to
// do with it. An address of the client is not known.
func (e *run) denied() (yes bool, at *conf.Directive) {
	var rules []*conf.Directive
	for b := e.ctx; b != nil && rules == nil; b = b.Parent {
		rules = e.s.rules(b)
	}
	switch {
	case len(rules) == 0:
		return false, nil
	case rules[0].Arg(0) == "all":
		return rules[0].Name == "deny", rules[0]
	}
	e.caveat(rules[0], "may decide otherwise: the address of the client is not known")
	return false, rules[0]
}

// rules are a block's own allow and deny, in file order.
func (s *Server) rules(block *conf.Directive) (out []*conf.Directive) {
	allow, deny := s.set.here(block, "allow"), s.set.here(block, "deny")
	if len(allow) == 0 || len(deny) == 0 {
		return append(out, append(allow, deny...)...)
	}
	for _, d := range block.Block {
		if d.Name == "allow" || d.Name == "deny" {
			out = append(out, d)
		}
	}
	return out
}

// locked is whether a password is asked for that the request does not have.
func (e *run) locked() (yes bool, at *conf.Directive) {
	d := e.s.set.one(e.ctx, "auth_basic")
	if d == nil || d.Arg(0) == "off" {
		return false, nil
	}
	if !strings.HasPrefix(lower(e.header("authorization")), "basic ") {
		return true, d
	}
	e.caveat(d, "asks for a password, and the user file is not read")
	return false, d
}

func (e *run) caveat(d *conf.Directive, what string) {
	e.ans.Caveats = append(e.ans.Caveats, fmt.Sprintf("`%s` at %s %s", written(d), d.Place(), what))
}
