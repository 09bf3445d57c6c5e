package nginx

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"strings"
)

// names gives every cluster an upstream name that nginx can refer to. nginx
// compares them without case, and takes ":" and "/" in them for parts of a URL.
type names struct {
	of   map[string]string
	used map[string]bool
}

func newNames() *names { return &names{of: map[string]string{}, used: map[string]bool{}} }

// plainUpstream is a name that may stay as it is.
var plainUpstream = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,126}[A-Za-z0-9_]$|^[A-Za-z0-9]$`)

// upstream is the name for a cluster, the same at every call.
func (n *names) upstream(cluster string) string {
	if name, ok := n.of[cluster]; ok {
		return name
	}
	name := cluster
	if !plainUpstream.MatchString(name) || n.used[strings.ToLower(name)] {
		name = n.made(cluster)
	}
	n.of[cluster] = name
	n.used[strings.ToLower(name)] = true
	return name
}

// made builds a name from what of the cluster's can stay and a hash of all.
func (n *names) made(cluster string) string {
	h := fnv.New32a()
	h.Write([]byte(cluster))
	stem := identifier(cluster, 40)
	for i := h.Sum32(); ; i++ {
		if name := fmt.Sprintf("%s_%08x", stem, i); !n.used[name] {
			return name
		}
	}
}

// identifier keeps the letters and digits of s, at most n of them.
func identifier(s string, n int) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if b.Len() == n {
			break
		}
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 || b.String()[0] == '_' {
		return "c" + b.String()
	}
	return b.String()
}

var (
	hostName   = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
	withPort   = regexp.MustCompile(`^(.+):([0-9]{1,5}|\*)$`)
	headerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)
)

// serverName is a domain of a virtual host as nginx's server_name; "*" is not
// for here. ok is false for what cannot be written.
func serverName(domain string) (name string, kind Kind, lesson string, ok bool) {
	kind, lesson = Exact, lessonServerName
	if m := withPort.FindStringSubmatch(domain); m != nil && !strings.HasSuffix(m[1], ":") {
		domain, kind, lesson = m[1], Approximate, lessonDomainPort
	}
	if d, cut := strings.CutSuffix(domain, "."); cut {
		domain, kind, lesson = d, Approximate, lessonTrailingDot
	}
	if domain == "_" || len(domain) > 250 || !writable(domain) || domain == "" || strings.Contains(domain, "/") {
		return "", None, "", false
	}
	rest, head := strings.CutPrefix(domain, "*")
	tail := false
	if !head {
		rest, tail = strings.CutSuffix(domain, "*")
	}
	switch {
	case !head && !tail && hostName.MatchString(domain),
		head && strings.HasPrefix(rest, ".") && hostName.MatchString(rest[1:]),
		tail && strings.HasSuffix(rest, ".") && hostName.MatchString(rest[:max(0, len(rest)-1)]):
		return strings.ToLower(domain), kind, lesson, true
	}
	re := regexp.QuoteMeta(strings.ToLower(rest))
	switch {
	case head:
		re = ".+" + re
	case tail:
		re += ".+"
	}
	return "~^" + re + "$", Approximate, lessonServerRegex, true
}

// variable is the nginx variable that holds a request header, or "".
func variable(prefix, name string) string {
	if !headerName.MatchString(name) || len(name) > 60 {
		return ""
	}
	return "$" + prefix + strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// bucketSize is what nginx wants as the bucket of a hash table whose longest
// name has so many bytes: room for one element (pointer, length, name) and the
// end mark. 64, its default on most machines, is the least.
func bucketSize(longest int) int {
	need, size := (longest+2+7)/8*8+16, 64
	for size < need {
		size *= 2
	}
	return size
}

// tableSize is what nginx wants as the size of a hash table of so many names;
// 512, its default, is the least.
func tableSize(count int) int {
	size := 512
	for size < 2*count {
		size *= 2
	}
	return size
}
