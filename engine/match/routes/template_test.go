package routes

import (
	"strings"
	"testing"
)

// TestTemplates holds path templates against what Envoy 1.40 takes and matches;
// "" is one that it refuses.
func TestTemplates(t *testing.T) {
	paths := strings.Fields("/a/x*y /a/xy /a/xxxy /a/y /a /aaa /a=b /a/b /a/xb /vx/x /xv /x.html /.html /x/b /b /a/ / /x/a /a/x/a /a/x/x /a/q/r/x /%20")
	for template, want := range map[string]string{
		"/a/x*y":                   "/a/xy /a/xxxy /a/y",
		"/a*":                      "/a /aaa /",
		"/a=b":                     "/a=b",
		"/a/*b":                    "/a/xb",
		"/v{n}/x":                  "/vx/x",
		"/{n}v":                    "/xv",
		"/{n=*}.html":              "/x.html",
		"/{n=a*}":                  "/a /aaa /",
		"/{n=*/b}":                 "/a/b /x/b",
		"/a/":                      "/a/",
		"/":                        "/",
		"/**/a":                    "/x/a /a/x/a",
		"/{a=**}x/b":               "/x/b",
		"/a/{n=**/x}":              "/a/x/x /a/q/r/x",
		"/{n}{m}":                  "",
		"/a/**b/c":                 "",
		"/a//b":                    "",
		"/a/**/*":                  "",
		"/a/*{n}":                  "",
		"/{a=**}/{b}":              "",
		"/{n=*a}":                  "",
		"/{n=/b}":                  "",
		"/a/b?c":                   "",
		"/a/[x]":                   "",
		"/{1a}":                    "",
		"/{a":                      "",
		"/a}":                      "",
		"/{a=}":                    "",
		"/{a}/{a}":                 "",
		"/{abcdefghijklmnopq}":     "",
		"/{a}/{b}/{c}/{d}/{e}/{f}": "",
		"/{n=*=*}":                 "",
		"a":                        "",
	} {
		re, err := compileTemplate(template)
		if want == "" {
			if err == nil {
				t.Errorf("%s should be refused", template)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		var got []string
		for _, p := range paths {
			if re.full(p) {
				got = append(got, p)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s matches %q, want %q", template, got, want)
		}
	}
}
