package merge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"example.com/meshtui/engine/check"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/merge"
)

// TestVerifyTellsWhatIsNotDone holds a change that does one thing against texts
// that say another.
func TestVerifyTellsWhatIsNotDone(t *testing.T) {
	t.Parallel()
	ar, err := txtar.ParseFile("testdata/talk.txtar")
	if err != nil {
		t.Fatal(err)
	}
	m := parseMesh(t, ar)
	shown := nginx.Project(m)
	const weight = "- server 127.0.0.1:9001 weight=3 max_fails=5 fail_timeout=5s;\n+ server 127.0.0.1:9001 weight=5 max_fails=5 fail_timeout=5s;\n"
	c, err := merge.Merge(m, shown, edited(t, shown.String(), weight))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ edit, want string }{
		"all done":         {weight, ""},
		"in other words":   {weight + "\n- proxy_read_timeout 5s;\n+ proxy_read_timeout 5000ms;\n", ""},
		"location added":   {weight + "\n@ server_name www.example.com;\n+ location /more {\n+ return 204;\n+ }\n", `"location /more" cannot be carried over`},
		"timeout changed":  {weight + "\n- proxy_read_timeout 5s;\n+ proxy_read_timeout 9s;\n", `"proxy_read_timeout 9s" cannot be carried over`},
		"server taken out": {weight + "\n- server 127.0.0.1:9002 max_fails=5 fail_timeout=5s down;\n", `"server 127.0.0.1:9002 max_fails=5 fail_timeout=5s down" cannot be taken out`},
		"another upstream": {weight + "\n- proxy_pass http://$split_app;\n+ proxy_pass http://legacy;\n", `"proxy_pass http://legacy" cannot be carried over`},
	} {
		text := edited(t, shown.String(), test.edit)
		err := c.Verify(m, shown, text, check.Mesh)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var refused *merge.SyntaxError
		if !errors.As(err, &refused) || !strings.Contains(refused.Findings[0].Message, test.want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		line := strings.Split(text, "\n")[refused.Findings[0].Line-1]
		if word := strings.Fields(strings.Trim(test.want, `"`))[0]; !strings.Contains(line, word) && word != "server" {
			t.Errorf("%s: it is told of the line %q", name, line)
		}
	}
}
