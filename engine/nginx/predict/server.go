package predict

import (
	"net/netip"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// Server is an nginx.conf, compiled. It is not changed by Answer, and may be asked
// by many at once.
type Server struct {
	set       settings
	addresses []*address // in file order
	byText    map[string]*address
	defined   map[string]definition
	assigned  map[string]bool // variables of `set` and of named groups
	patterns  map[string]*pattern
}

// site is one server{}.
type site struct {
	at    *conf.Directive
	names []serverName
	in    *scope
	code  []op
}

// name is nginx's $server_name: the first of its names.
func (s *site) name() string {
	if len(s.names) == 0 {
		return ""
	}
	return strings.TrimPrefix(s.names[0].text, ".")
}

// address is one address that nginx listens on.
type address struct {
	ip    netip.Addr // invalid for a wildcard and for a path
	v6    bool       // a wildcard of IPv6
	both  bool       // ipv6only=off: of IPv4, too
	any   bool
	port  uint32
	path  string // of a unix socket
	text  string // as it is written
	tls   bool
	sites []*site // in file order
	first *site   // the default server
	named bool    // first is by default_server
	names names
}

// New compiles a configuration. What nginx would refuse is skipped.
func New(c *conf.Config) *Server {
	s := &Server{
		set: newSettings(c.Main), defined: map[string]definition{}, assigned: map[string]bool{},
		patterns: map[string]*pattern{}, byText: map[string]*address{},
	}
	for _, http := range c.Named("http") {
		s.define(http)
	}
	for _, http := range c.Named("http") {
		for _, d := range http.Children("server") {
			if d.IsBlock {
				s.addSite(d)
			}
		}
	}
	for _, a := range s.addresses {
		a.names = newNames()
		for _, site := range a.sites {
			for _, n := range site.names {
				a.names.add(n)
			}
		}
		if a.first == nil {
			a.first = a.sites[0]
		}
	}
	return s
}

func newNames() names {
	return names{exact: map[string]serverName{}, head: map[string]serverName{}, tail: map[string]serverName{}, taken: map[string]bool{}}
}

// define takes in the variables of the http block.
func (s *Server) define(http *conf.Directive) {
	for _, d := range http.Block {
		name := strings.TrimPrefix(d.Arg(1), "$")
		switch d.Name {
		case "map":
			s.defined[name] = s.newMapping(d)
		case "split_clients":
			s.defined[name] = newSplit(d)
		case "geo":
			if len(d.Args) == 1 {
				name = strings.TrimPrefix(d.Arg(0), "$")
			}
			s.defined[name] = outside{name: name, at: d}
		}
	}
}

// regexOf compiles an expression, each once.
func (s *Server) regexOf(text string, fold bool) *pattern {
	key := strconv.FormatBool(fold) + text
	p := s.patterns[key]
	if p == nil {
		p = compile(text, fold)
		s.patterns[key] = p
		for _, n := range p.names {
			if n != "" {
				s.assigned[n] = true
			}
		}
	}
	return p
}

func (s *Server) addSite(d *conf.Directive) {
	st := &site{at: d}
	for _, ds := range d.Children("server_name") {
		for _, n := range ds.Args {
			if text, isRegex := strings.CutPrefix(n, "~"); isRegex {
				upper := lower(text) != text // with a capital letter, nginx ignores case
				st.names = append(st.names, serverName{text: n, re: s.regexOf(text, upper), owner: st})
				continue
			}
			st.names = append(st.names, serverName{text: lower(n), owner: st})
		}
	}
	if len(st.names) == 0 {
		st.names = []serverName{{owner: st}}
	}
	st.code = s.code(d, 0)
	st.in = s.locations(d, nil, 0)
	listens := d.Children("listen")
	if len(listens) == 0 {
		s.listen(st, &conf.Directive{Name: "listen", Args: []string{"80"}})
	}
	for _, l := range listens {
		s.listen(st, l)
	}
}

// listen adds a server to the addresses that a directive names.
func (s *Server) listen(st *site, d *conf.Directive) {
	for _, a := range addressesOf(d) {
		at := s.address(a)
		at.tls = at.tls || d.Flag("ssl") || s.set.on(st.at, "ssl", false)
		at.both = at.both || d.Flag("ipv6only=off")
		if (d.Flag("default_server") || d.Flag("default")) && at.first == nil {
			at.first, at.named = st, true
		}
		if len(at.sites) == 0 || at.sites[len(at.sites)-1] != st {
			at.sites = append(at.sites, st)
		}
	}
}

// address is the one that is there already, or the new one.
func (s *Server) address(a address) *address {
	key := a.path + " " + a.ip.String() + " " + strconv.FormatUint(uint64(a.port), 10) + strconv.FormatBool(a.any) + strconv.FormatBool(a.v6)
	if have := s.byText[key]; have != nil {
		return have
	}
	s.addresses = append(s.addresses, &a)
	s.byText[key] = &a
	return &a
}

// addressesOf are the addresses of a listen directive: several for a range of
// ports. A name that is not localhost is any address: nobody asks for it here.
func addressesOf(d *conf.Directive) (out []address) {
	arg := d.Arg(0)
	if path, found := strings.CutPrefix(arg, "unix:"); found {
		return []address{{path: path, text: arg}}
	}
	host, ports := "", arg
	if at := strings.LastIndexByte(arg, ':'); at > strings.LastIndexByte(arg, ']') {
		host, ports = arg[:at], arg[at+1:]
	} else if strings.Trim(arg, "0123456789-") != "" {
		host, ports = arg, "80"
	}
	from, to, isRange := strings.Cut(ports, "-")
	if !isRange {
		to = from
	}
	first, err := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err != nil || err2 != nil {
		return nil
	}
	base := address{text: arg}
	switch host = strings.Trim(host, "[]"); host {
	case "", "*", "0.0.0.0":
		base.any = true
	case "::":
		base.any, base.v6 = true, true
	case "localhost":
		base.ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	default:
		ip, err := netip.ParseAddr(host)
		base.ip, base.any = ip, err != nil
	}
	for p := first; p <= last; p++ {
		a := base
		a.port = uint32(p)
		if isRange {
			a.text = strings.TrimSuffix(arg, ports) + strconv.FormatUint(p, 10)
		}
		out = append(out, a)
	}
	return out
}

// accepts is the address that takes a connection: the very one before a wildcard.
// nil where nobody listens.
func (s *Server) accepts(ip netip.Addr, port uint32) *address {
	var wild, first *address
	for _, a := range s.addresses {
		if port == 0 && a.path == "" {
			port = a.port
		}
		if a.path != "" || a.port != port {
			continue
		}
		if first == nil {
			first = a
		}
		if ip.IsValid() && a.ip == ip.Unmap() {
			return a
		}
		if a.any && (wild == nil || wild.v6 && ip.Is4()) && (!ip.IsValid() || a.v6 == ip.Is6() || a.both) {
			wild = a
		}
	}
	if wild == nil && !ip.IsValid() {
		return first
	}
	return wild
}
