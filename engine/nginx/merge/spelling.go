package merge

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/meshtui/engine/nginx/conf"
)

// says reports whether two directives' own arguments mean the same. A server of an
// upstream may say more than was written, and one that was left as it was may say
// less: a parameter stands there only where it does something.
func says(a, e *conf.Directive, asIs bool) bool {
	if a.Name != e.Name {
		return shares(a.Parent) && shares(e.Parent) && spelled(a.Name) == spelled(e.Name) && a.Arg(0) == e.Arg(0)
	}
	if a.Name == "listen" && len(e.Args) > 0 {
		return address(a.Arg(0)) == address(e.Arg(0)) && !slices.ContainsFunc(e.Args[1:], func(p string) bool { return !slices.Contains(a.Args, p) && p != "default_server" })
	}
	if isMember(a) && isMember(e) {
		if asIs || spelled(a.Arg(0)) != spelled(e.Arg(0)) {
			return spelled(a.Arg(0)) == spelled(e.Arg(0))
		}
		return !slices.ContainsFunc(e.Args[1:], func(p string) bool { return !usual[p] && !slices.Contains(a.Args, p) })
	}
	if a.Name == "location" {
		before, x := location(a)
		after, y := location(e)
		return x == y && strings.TrimPrefix(before, "^~") == strings.TrimPrefix(after, "^~") || x[:1] == "@" && y[:1] == "@"
	}
	return slices.EqualFunc(a.Args, e.Args, func(x, y string) bool { return spelled(x) == spelled(y) })
}

// address is what a listen line listens on, in one spelling.
func address(arg string) string {
	arg = strings.TrimPrefix(arg, "*:")
	arg = strings.TrimPrefix(arg, "0.0.0.0:")
	if !strings.ContainsAny(arg, ".:") && strings.Trim(arg, "0123456789") != "" || strings.Count(arg, ".") == 3 && !strings.Contains(arg, ":") {
		return arg + ":80"
	}
	return arg
}

// usual are the parameters of a server that say what holds without them.
var usual = map[string]bool{"weight=1": true, "max_fails=1": true, "fail_timeout=10s": true, "fail_timeout=10": true, "max_conns=0": true}

var (
	duration = regexp.MustCompile(`^(\d+)(ms|s|m|h|d)?$`)
	share    = regexp.MustCompile(`^(\d+)\.(\d*?)0*%$`)
)

// spelled is an argument in one spelling of several: a time in milliseconds, a
// share without zeros at its end, a variable or a name that nobody outside of the file sees.
func spelled(arg string) string {
	if strings.HasPrefix(arg, "@") {
		return "@"
	}
	if before, _, ok := strings.Cut(arg, "$split_"); ok {
		return before + "$split_"
	}
	if f := share.FindStringSubmatch(arg); f != nil {
		if f[2] == "" {
			return f[1] + "%"
		}
		return f[1] + "." + f[2] + "%"
	}
	if f := duration.FindStringSubmatch(arg); f != nil {
		n, _ := strconv.ParseInt(f[1], 10, 64)
		return fmt.Sprint(n * map[string]int64{"ms": 1, "": 1000, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}[f[2]])
	}
	return strings.ToLower(strings.TrimSuffix(arg, ":80"))
}
