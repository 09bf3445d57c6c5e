package predict

import "strings"

// cleanHost is a Host without its port and trailing dot, in lower case, as nginx
// compares it with names; ok is false where nginx answers 400.
func cleanHost(host string) (name string, ok bool) {
	const (
		usual = iota
		literal
		rest
	)
	state, end, dot := usual, len(host), -2
	for i := 0; i < len(host); i++ {
		switch c := host[i]; {
		case c == '.':
			if dot == i-1 {
				return "", false
			}
			dot = i
		case c == ':':
			if state == usual {
				end, state = i, rest
			}
		case c == '[':
			if i == 0 {
				state = literal
			}
		case c == ']':
			if state == literal {
				end, state = i+1, rest
			}
		case c == '/' || c <= 0x20 || c == 0x7f:
			return "", false
		}
	}
	if end > 0 && dot == end-1 {
		end--
	}
	if end == 0 {
		return "", false
	}
	return lower(host[:end]), true
}

// lower is ASCII's lower case alone, as nginx has it.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			continue
		}
		out := []byte(s)
		for ; i < len(out); i++ {
			if c := out[i]; c >= 'A' && c <= 'Z' {
				out[i] = c + 'a' - 'A'
			}
		}
		return string(out)
	}
	return s
}

// serverName is one name of a server.
type serverName struct {
	text  string // as it stands in the file, in lower case unless an expression
	re    *pattern
	owner *site
}

// names finds the server of a host among the servers of one address.
type names struct {
	exact, head, tail map[string]serverName // head: what follows "*."; tail: what stands before ".*"
	regex             []serverName
	taken             map[string]bool // plain names, and those of ".x"
}

// add takes a name in, unless another server, or this one, has it already. A ".x"
// that is too late for "*.x" still keeps a plain "x" after it out.
func (n *names) add(s serverName) {
	switch plain, dotted := strings.CutPrefix(s.text, "."); {
	case s.re != nil:
		n.regex = append(n.regex, s)
	case dotted:
		if n.taken[plain] {
			return
		}
		n.taken[plain] = true
		if putFirst(n.head, plain, s) {
			n.exact[plain] = s
		}
	case strings.HasPrefix(s.text, "*."):
		putFirst(n.head, s.text[2:], s)
	case strings.HasSuffix(s.text, ".*"):
		putFirst(n.tail, s.text[:len(s.text)-2], s)
	case !n.taken[s.text]:
		n.taken[s.text] = true
		n.exact[s.text] = s
	}
}

func putFirst(m map[string]serverName, key string, s serverName) bool {
	_, taken := m[key]
	if !taken {
		m[key] = s
	}
	return !taken
}

// hostWay is how a name was found.
type hostWay int

const (
	byDefault hostWay = iota
	byExact
	byHead
	byTail
	byRegex
)

// find is the server whose name the host is: exact, the longest "*.x", the longest
// "x.*", the first expression. groups are an expression's; bad is one that is not
// followed and that comes first.
func (n *names) find(host string) (s serverName, way hostWay, groups []string, bad *pattern) {
	if s, ok := n.exact[host]; ok {
		return s, byExact, nil, nil
	}
	if host == "" {
		return s, byDefault, nil, nil
	}
	for i := 0; i < len(host); i++ {
		if host[i] == '.' {
			if s, ok := n.head[host[i+1:]]; ok {
				return s, byHead, nil, nil
			}
		}
	}
	for i := len(host) - 1; i >= 0; i-- {
		if host[i] == '.' {
			if s, ok := n.tail[host[:i]]; ok {
				return s, byTail, nil, nil
			}
		}
	}
	for _, s := range n.regex {
		if s.re.bad != "" {
			return s, byRegex, nil, s.re
		}
		if groups := s.re.match(host); groups != nil {
			return s, byRegex, groups, nil
		}
	}
	return s, byDefault, nil, nil
}
