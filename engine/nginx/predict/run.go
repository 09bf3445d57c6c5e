package predict

import (
	"fmt"
	"net/netip"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// run is one request on its way.
type run struct {
	s       *Server
	req     Request
	addr    *address
	ip      netip.Addr // of ours; invalid where it is not known
	port    uint32
	line    requestLine
	headers [][2]string // names in lower case with underscores, of those that nginx takes
	method  string
	ans     *Answer

	hostHeader string
	host       string // cleaned; "" without one
	site       *site
	way        hostWay
	entered    bool            // the server was chosen by the Host, or for want of one
	ctx        *conf.Directive // the block whose settings hold
	loc        *location
	last       *search // the last search for a location
	path, args string  // $uri and $args now
	vars       map[string]value
	groups     []string // of the last expression that matched
	groupsBad  string
	groupsSet  int             // how often they were set
	depth      int             // of maps in one another
	coming     map[string]bool // variables that are being come to
	asked      int             // how often one was

	asSent    bool // an upstream without a URI of its own gets the target as the client sent it
	inPlace   bool // `break`: the location's name is not replaced
	internal  bool
	changed   bool    // the location is to be chosen again
	changes   int     // how often that may be, and one
	quote     bool    // captures are escaped where they are copied
	leaked    bool    // nginx may go on escaping them after a rewrite's arguments
	discarded bool    // the body was thrown away, or its length was never read
	located   *string // the Location, once there is one
	paged     bool    // an error_page was used
	status    int     // that an error_page fixes; 0 for none
}

// maxChanges is how often nginx chooses a location anew, or redirects within.
const maxChanges = 10

// Answer is what nginx does with the request. It never fails: what is not followed
// is Unknown, or a caveat.
func (s *Server) Answer(req Request) Answer {
	ans := &Answer{}
	e := &run{s: s, req: req, ans: ans, method: req.Method, vars: map[string]value{}, coming: map[string]bool{}, changes: maxChanges + 1, asSent: true}
	if e.method == "" {
		e.method = "GET"
	}
	if e.connected() && e.readHead() {
		e.handle(nil)
	}
	e.lose()
	return *ans
}

// connected finds the address and its server for what comes before the Host.
func (e *run) connected() bool {
	e.addr = e.s.accepts(e.req.Address, e.req.Port)
	if e.addr == nil {
		e.ans.Action = Closed
		e.step("listen", "", fmt.Sprintf("no server of this file listens on port %d of that address, so the connection is refused", e.req.Port), nil)
		return false
	}
	e.port, e.ip = e.addr.port, e.addr.ip
	if e.req.Address.IsValid() {
		e.ip = e.req.Address
	}
	why := "it takes connections to this address"
	if e.addr.any {
		why = "it takes connections to every address of the machine that has no `listen` of its own for this port"
	}
	e.step("listen", "listen "+e.addr.text, why, nil)
	if e.req.TLS && !e.addr.tls {
		e.ans.Action, e.ans.Status = Refused, 400
		e.step("action", "400", "the address has no `ssl`: nginx takes the TLS handshake for a broken request", nil)
		return false
	}
	e.site, e.way = e.addr.first, byDefault
	if e.req.TLS && e.req.SNI != "" {
		e.bySNI()
	}
	e.ctx = e.site.at
	return true
}

// bySNI chooses the server of the handshake, whose certificate is shown and whose
// settings hold until the Host is read.
func (e *run) bySNI() {
	name, ok := cleanHost(e.req.SNI)
	if !ok {
		return
	}
	if n, way, _, bad := e.addr.names.find(name); bad == nil && way != byDefault {
		e.site = n.owner
		e.step("server", siteName(n.owner), "the certificate is this server's, by SNI; which server answers is decided by the Host", n.owner.at)
	}
	if e.s.set.on(e.site.at, "ssl_reject_handshake", false) {
		e.ans.Caveats = append(e.ans.Caveats, "`ssl_reject_handshake` of the server at "+e.site.at.Place()+" ends the handshake")
	}
}

// handle goes through nginx's phases: the server's rewrites, the location, its
// rewrites, access, content. It begins at a named location where one is given.
func (e *run) handle(named *location) {
	e.changed = false
	if named != nil {
		e.loc, e.ctx = named, named.at
		e.step("location", named.at.String(), "it is named by an error_page", named.at)
	} else {
		e.loc, e.ctx = nil, e.site.at
		if e.ops(e.site.code) {
			return
		}
	}
	for given := named != nil; ; given = false {
		if !given && e.choose() || e.rewrites() {
			return
		}
		if !e.changed {
			break
		}
		if e.changes--; e.changes <= 0 {
			e.answerStatus(500, "nginx gives up after ten rewrites of the URI", e.ctx, Refused)
			return
		}
	}
	if !e.refuses() {
		e.content()
	}
}

// ops runs a block's directives of the rewrite module.
func (e *run) ops(code []op) (done bool) {
	e.quote, e.leaked = true, false
	for _, o := range code {
		if o.run(e) {
			break
		}
	}
	return e.ans.Action != ""
}

// rewrites runs those of the location. A block of limit_except has none, and keeps
// the location's from running.
func (e *run) rewrites() (done bool) {
	if e.loc == nil || e.ctx != e.loc.at {
		return false
	}
	return e.ops(e.loc.code)
}

// choose finds the location, and answers where the search alone decides.
func (e *run) choose() (done bool) {
	e.changed = false
	s := find(e.site.in, e.path)
	e.last, e.loc, e.ctx = s, s.where, e.site.at
	for _, h := range s.hits {
		e.take(h.re, h.groups)
	}
	if s.how == unsure {
		e.loc = nil
		return e.giveUp(s.where.at, "its expression comes first and is not followed: "+s.where.re.bad)
	}
	if e.loc == nil {
		e.step("location", "", "no location takes "+shown(e.path)+", so the server's own directives hold", e.site.at)
	} else {
		e.ctx = e.loc.at
		e.step("location", e.loc.at.String(), s.why(), e.loc.at)
		if !e.internal && e.s.set.one(e.loc.at, "internal") != nil { // locations within inherit it
			e.answerStatus(404, "the location is `internal`: only nginx itself may lead there", e.loc.at, Refused)
			return true
		}
		e.limit()
	}
	if e.tooLarge() {
		return true
	}
	if s.how == redirect {
		to := escape(e.loc.name, escapedInPath)
		if e.args != "" {
			to += "?" + e.args
		}
		e.redirect(301, to, "the location's name ends in a slash and it passes to an upstream: nginx sends "+shown(e.path)+" there first", e.loc.at)
		return true
	}
	return false
}

// limit enters limit_except for a method that it does not name.
func (e *run) limit() {
	for _, d := range e.s.set.here(e.loc.at, "limit_except") {
		for _, m := range d.Args {
			m = strings.ToUpper(m)
			if m == e.method || m == "GET" && e.method == "HEAD" {
				return
			}
		}
		e.ctx = d
		e.step("action", d.String(), e.method+" is not among the methods, so the rules of this block hold, and no rewrite or return of the location", d)
	}
}

// take keeps what the groups of an expression hold.
func (e *run) take(p *pattern, groups []string) {
	e.groups, e.groupsBad = groups, ""
	e.groupsSet++
	for i, name := range p.names {
		if name != "" && i < len(groups) {
			e.vars[name] = value{s: groups[i]}
		}
	}
}

func (e *run) step(kind, name, why string, at *conf.Directive) {
	e.ans.Steps = append(e.ans.Steps, Step{Kind: kind, Name: name, Why: why, At: at})
}

// giveUp says that a directive decides that is not followed.
func (e *run) giveUp(at *conf.Directive, why string) (stop bool) {
	e.ans.Action, e.ans.Server = Unknown, e.site.at
	if e.loc != nil {
		e.ans.Location = e.loc.at
	}
	if at == nil {
		at = e.ctx
	}
	e.ans.Caveats = append(e.ans.Caveats, fmt.Sprintf("`%s` at %s decides, and %s", written(at), at.Place(), why))
	return true
}

// again is the request within nginx, for an error_page: once more from the server's
// rewrites, or at a named location.
func (e *run) again(named *location) {
	if e.changes--; e.changes <= 0 {
		e.paged = e.pageFor(500) == nil
		if !e.paged {
			e.giveUp(e.ctx, "nginx redirects within more than ten times, and there is an error_page for that, too")
			return
		}
		e.answerStatus(500, "nginx gives up after ten redirects within", e.ctx, Refused)
		return
	}
	e.internal, e.inPlace = true, e.inPlace && named != nil
	e.handle(named)
}
