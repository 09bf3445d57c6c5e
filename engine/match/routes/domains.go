package routes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
)

// domainKind is how a domain fits a Host, the best first.
type domainKind uint8

const (
	domainExact domainKind = iota
	domainSuffix
	domainPrefix
	domainAll
)

// domain is one domain of a virtual host.
type domain struct {
	host    int32 // index of the virtual host
	written string
	kind    domainKind
	text    string // in lower case, without its *
}

// readDomain tells the four kinds apart.
func readDomain(written string) domain {
	d := domain{written: written, text: lower(written)}
	switch {
	case d.text == "*":
		d.kind, d.text = domainAll, ""
	case strings.HasPrefix(d.text, "*"):
		d.kind, d.text = domainSuffix, d.text[1:]
	case strings.HasSuffix(d.text, "*"):
		d.kind, d.text = domainPrefix, d.text[:len(d.text)-1]
	}
	return d
}

// fits reports whether the domain takes a host, which must be in lower case. A
// wildcard stands for at least one letter.
func (d *domain) fits(host string) bool {
	switch d.kind {
	case domainExact:
		return host == d.text
	case domainSuffix:
		return len(host) > len(d.text) && strings.HasSuffix(host, d.text)
	case domainPrefix:
		return len(host) > len(d.text) && strings.HasPrefix(host, d.text)
	}
	return true
}

// better orders domains that fit the same host: exact, longest suffix, longest
// prefix, all. Of equal ones, which Envoy refuses, the first in the
// configuration counts.
func better(a, b *domain) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(len(b.text), len(a.text)))
}

// domains finds the virtual host for a Host.
type domains struct {
	header     string // that is asked in place of the Host, in lower case
	ignorePort bool
	exact      map[string]*domain
	suffixes   []sameLength // the longest first
	prefixes   []sameLength
	all        *domain
}

// sameLength is the wildcards of one length.
type sameLength struct {
	length int
	by     map[string]*domain
}

func (c *compiler) domains(rc *routev3.RouteConfiguration) domains {
	d := domains{
		header: lower(rc.GetVhostHeader()), ignorePort: rc.GetIgnorePortInHostMatching(),
		exact: map[string]*domain{},
	}
	for i, vh := range rc.GetVirtualHosts() {
		for j, written := range vh.GetDomains() {
			one := readDomain(written)
			one.host = int32(i)
			if first := d.add(&one); first != nil {
				c.problem(DuplicateDomain, fmt.Sprintf("virtual_hosts[%d].domains[%d]", i, j),
					fmt.Sprintf("domain %q stands in virtual host %q already", written, rc.GetVirtualHosts()[first.host].GetName()),
					"remove one of them: Envoy rejects a route configuration that has a domain twice")
			}
		}
	}
	longest := func(a, b sameLength) int { return cmp.Compare(b.length, a.length) }
	slices.SortFunc(d.suffixes, longest)
	slices.SortFunc(d.prefixes, longest)
	return d
}

// add keeps a domain, unless the same is there already, which it then returns.
func (d *domains) add(one *domain) *domain {
	by := d.exact
	switch one.kind {
	case domainSuffix:
		by = ofLength(&d.suffixes, len(one.text))
	case domainPrefix:
		by = ofLength(&d.prefixes, len(one.text))
	case domainAll:
		if d.all != nil {
			return d.all
		}
		d.all = one
		return nil
	}
	if first := by[one.text]; first != nil {
		return first
	}
	by[one.text] = one
	return nil
}

func ofLength(list *[]sameLength, length int) map[string]*domain {
	for i := range *list {
		if (*list)[i].length == length {
			return (*list)[i].by
		}
	}
	by := map[string]*domain{}
	*list = append(*list, sameLength{length, by})
	return by
}

// host is what domains are compared with, in lower case; ok is false when the
// request has none to compare.
func (d *domains) host(v *view) (name string, ok bool) {
	name = v.r.Authority
	if d.header != "" {
		value, times := v.first(d.header)
		if times == 0 {
			return "", false
		}
		name = value
	}
	if d.ignorePort {
		name = WithoutPort(name)
	}
	return lower(name), true
}

// WithoutPort is a Host without its port, as Envoy cuts it: from the last colon
// on, whatever follows, unless that colon stands within the brackets of an IPv6
// address.
func WithoutPort(host string) string {
	if at := PortStart(host); at >= 0 {
		return host[:at]
	}
	return host
}

// PortStart is where the port of a Host begins, with its colon; -1 without one.
// The colons of an IPv6 address stand in brackets. Whether a number follows the
// colon is not asked.
func PortStart(host string) int {
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		return at
	}
	return -1
}

// find is the domain that takes the request, nil when none does.
func (d *domains) find(v *view) *domain {
	if len(d.exact)+len(d.suffixes)+len(d.prefixes) == 0 {
		return d.all // Envoy then does not even look for a Host
	}
	name, ok := d.host(v)
	if !ok {
		return nil
	}
	if one := d.exact[name]; one != nil {
		return one
	}
	for _, s := range d.suffixes {
		if s.length < len(name) {
			if one := s.by[name[len(name)-s.length:]]; one != nil {
				return one
			}
		}
	}
	for _, p := range d.prefixes {
		if p.length < len(name) {
			if one := p.by[name[:p.length]]; one != nil {
				return one
			}
		}
	}
	return d.all
}

// requiresTLS reports whether the virtual host sends the request to https
// before a route is asked.
func (h *host) requiresTLS(v *view) bool {
	require := h.source.GetRequireTls()
	if require == routev3.VirtualHost_NONE {
		return false
	}
	if p := v.forwardedProto(); p == "https" || p == "" {
		return false
	}
	internal, _ := v.listed("x-envoy-internal")
	return require == routev3.VirtualHost_ALL || require == routev3.VirtualHost_EXTERNAL_ONLY && internal != "true"
}
