package importer

import (
	"slices"
	"strings"
)

// suite is a cipher suite of TLS 1.2 and before that Envoy's TLS library has.
type suite struct {
	name  string
	words []string // those of OpenSSL's cipher strings that mean it, beside ALL and HIGH
}

// suites are all of them, in OpenSSL's order of preference.
var suites = func() []suite {
	var (
		ecdhe  = []string{"ECDHE", "kECDHE", "EECDH", "kEECDH", "ECDH"}
		ecdsa  = append([]string{"ECDSA", "aECDSA"}, ecdhe...)
		aRSA   = append([]string{"aRSA"}, ecdhe...)
		rsa    = []string{"RSA", "kRSA", "aRSA"}
		gcm    = []string{"AES", "AESGCM", "TLSv1.2"}
		chacha = []string{"CHACHA20", "TLSv1.2"}
		cbc    = []string{"AES", "SHA", "SHA1"}
		tls1   = []string{"TLSv1", "TLSv1.0"}
		ssl3   = []string{"SSLv3"}
		out    []suite
	)
	add := func(name string, size string, groups ...[]string) {
		out = append(out, suite{name, append(slices.Concat(groups...), size)})
	}
	add("ECDHE-ECDSA-AES256-GCM-SHA384", "AES256", ecdsa, gcm)
	add("ECDHE-RSA-AES256-GCM-SHA384", "AES256", aRSA, gcm)
	add("ECDHE-ECDSA-CHACHA20-POLY1305", "CHACHA20", ecdsa, chacha)
	add("ECDHE-RSA-CHACHA20-POLY1305", "CHACHA20", aRSA, chacha)
	add("ECDHE-ECDSA-AES128-GCM-SHA256", "AES128", ecdsa, gcm)
	add("ECDHE-RSA-AES128-GCM-SHA256", "AES128", aRSA, gcm)
	add("ECDHE-ECDSA-AES256-SHA", "AES256", ecdsa, cbc, tls1)
	add("ECDHE-RSA-AES256-SHA", "AES256", aRSA, cbc, tls1)
	add("ECDHE-ECDSA-AES128-SHA", "AES128", ecdsa, cbc, tls1)
	add("ECDHE-RSA-AES128-SHA", "AES128", aRSA, cbc, tls1)
	add("AES256-GCM-SHA384", "AES256", rsa, gcm)
	add("AES128-GCM-SHA256", "AES128", rsa, gcm)
	add("AES256-SHA", "AES256", rsa, cbc, ssl3)
	add("AES128-SHA", "AES128", rsa, cbc, ssl3)
	return out
}()

// means reports whether a word of a cipher string, such as EECDH+AESGCM, takes
// the suite in.
func (s suite) means(word string) bool {
	if word == s.name {
		return true
	}
	for part := range strings.SplitSeq(word, "+") {
		if part != "ALL" && part != "HIGH" && part != "DEFAULT" && !slices.Contains(s.words, part) {
			return false
		}
	}
	return true
}

// ciphers is what of an OpenSSL cipher string Envoy has, in its order. missing
// are the words that ask for what it does not have; groups says that a word
// stands for many, of which Envoy has some.
func ciphers(text string) (names, missing []string, groups bool) {
	var active []suite
	left := slices.Clone(suites) // that no rule has taken in, or away for good
	for _, rule := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(":, ;", r) }) {
		word := strings.TrimLeft(rule, "!+-")
		in := func(s suite) bool { return s.means(word) }
		switch {
		case rule == "@STRENGTH":
			slices.SortStableFunc(active, func(a, b suite) int { return b.bits() - a.bits() })
		case word == "" || rule[0] == '@' || strings.HasPrefix(word, "TLS_"): // those of TLS 1.3 are never chosen by this
		case rule[0] == '!':
			active, left = slices.DeleteFunc(active, in), slices.DeleteFunc(left, in)
		case rule[0] == '-':
			left = slices.Concat(keep(active, in), left)
			active = slices.DeleteFunc(active, in)
		case rule[0] == '+':
			last := keep(active, in)
			active = append(slices.DeleteFunc(active, in), last...)
		case !slices.ContainsFunc(suites, in):
			missing = append(missing, word)
		default:
			groups = groups || !slices.ContainsFunc(suites, func(s suite) bool { return s.name == word })
			active = append(active, keep(left, in)...)
			left = slices.DeleteFunc(left, in)
		}
	}
	for _, s := range active {
		names = append(names, s.name)
	}
	return names, missing, groups
}

// bits is the length of the suite's key.
func (s suite) bits() int {
	if strings.Contains(s.name, "128") {
		return 128
	}
	return 256
}

func keep(in []suite, ok func(suite) bool) (out []suite) {
	for _, s := range in {
		if ok(s) {
			out = append(out, s)
		}
	}
	return out
}
