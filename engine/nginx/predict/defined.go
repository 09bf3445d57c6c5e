package predict

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// mapping is a `map`.
type mapping struct {
	at       *conf.Directive
	source   template
	names    names // exact values and, with hostnames, wildcards
	values   map[*site]template
	regex    []mapRegex
	other    template
	hosts    bool
	volatile bool
}

type mapRegex struct {
	re *pattern
	to template
}

// newMapping compiles a map. Its exact values and wildcards are kept as names are:
// they are found in the same order.
func (s *Server) newMapping(d *conf.Directive) *mapping {
	m := &mapping{at: d, source: parseTemplate(d.Arg(0), false), values: map[*site]template{}, names: newNames()}
	for _, v := range d.Block {
		m.hosts = m.hosts || v.Name == "hostnames" && len(v.Args) == 0
		m.volatile = m.volatile || v.Name == "volatile" && len(v.Args) == 0
	}
	for _, v := range d.Block {
		if len(v.Args) != 1 || v.Name == "include" {
			continue
		}
		to := parseTemplate(v.Arg(0), false)
		switch key := v.Name; {
		case key == "default":
			m.other = to
		case strings.HasPrefix(key, "~"):
			text, fold := strings.CutPrefix(key[1:], "*")
			m.regex = append(m.regex, mapRegex{re: s.regexOf(text, fold), to: to})
		default:
			key = lower(strings.TrimPrefix(key, `\`))
			owner := &site{}
			m.values[owner] = to
			if m.hosts {
				m.names.add(serverName{text: key, owner: owner})
			} else {
				putFirst(m.names.exact, key, serverName{owner: owner})
			}
		}
	}
	return m
}

func (m *mapping) come(e *run, depth int) value {
	source := e.fill(m.source, false)
	if !source.known() {
		return value{unknown: source.unknown}
	}
	key := source.s
	if m.hosts {
		key = strings.TrimSuffix(key, ".")
	}
	to := m.other
	if s, way, _, _ := m.names.find(lower(key)); way != byDefault {
		to = m.values[s.owner]
	} else if key != "" {
		for _, r := range m.regex {
			if r.re.bad != "" {
				return value{unknown: "the expression ~" + r.re.text + " of the map at " + m.at.Place() + " is not followed: " + r.re.bad}
			}
			if groups := r.re.match(key); groups != nil {
				e.take(r.re, groups)
				to = r.to
				break
			}
		}
	}
	if depth > maxChain {
		return value{unknown: "the map at " + m.at.Place() + " stands on itself"}
	}
	e.depth++
	defer func() { e.depth-- }()
	if e.depth > maxChain {
		return value{unknown: "the map at " + m.at.Place() + " stands on itself"}
	}
	return e.fill(to, false)
}

// split is a `split_clients`.
type split struct {
	key   template
	parts []splitPart
}

type splitPart struct {
	last  uint32 // the hashes below it are this part's; 0 for the rest, "*"
	to    string
	share float64 // percent
}

func newSplit(d *conf.Directive) *split {
	s := &split{key: parseTemplate(d.Arg(0), false)}
	var last uint64
	rest := 100.0
	for _, p := range d.Block {
		part := splitPart{to: p.Arg(0), share: rest}
		if p.Name != "*" {
			f, err := strconv.ParseFloat(strings.TrimSuffix(p.Name, "%"), 64)
			if err != nil || !(f >= 0 && f <= 100) {
				continue
			}
			last += uint64(math.Round(f*100)) * math.MaxUint32 / 10000
			part.last, part.share = uint32(last), f
			rest -= f
		}
		s.parts = append(s.parts, part)
	}
	return s
}

func (s *split) come(e *run, _ int) value {
	key := e.fill(s.key, false)
	if key.known() {
		h := murmur2(key.s)
		for _, p := range s.parts {
			if h < p.last || p.last == 0 {
				return value{s: p.to}
			}
		}
		return value{}
	}
	v := value{unknown: key.unknown}
	rest := 100.0
	for _, p := range s.parts {
		v.shares = append(v.shares, share{s: p.to, percent: p.share})
		if rest -= p.share; p.last == 0 {
			return v
		}
	}
	if rest > 0.005 {
		v.shares = append(v.shares, share{percent: rest})
	}
	return v
}

// murmur2 is the MurmurHash2 that split_clients hashes its key with.
func murmur2(s string) uint32 {
	const m = 0x5bd1e995
	h, data := uint32(len(s)), []byte(s)
	for len(data) >= 4 {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
		data = data[4:]
	}
	if len(data) > 0 {
		var tail [4]byte
		copy(tail[:], data)
		h = (h ^ binary.LittleEndian.Uint32(tail[:])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// outside is a variable that depends on what only nginx knows.
type outside struct {
	name string
	at   *conf.Directive
}

func (o outside) come(*run, int) value {
	return value{unknown: "$" + o.name + " comes from " + o.at.Name + " at " + o.at.Place() + ", which is not followed"}
}
