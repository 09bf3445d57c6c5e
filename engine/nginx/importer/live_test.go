package importer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"example.com/meshtui/engine/files"
	"example.com/meshtui/engine/mesh"
	"example.com/meshtui/engine/nginx"
	"example.com/meshtui/engine/nginx/conf"
	"example.com/meshtui/engine/nginx/importer"
	"example.com/meshtui/xds/xdstest"
	"example.com/meshtui/xds/xdstest/nginxtest"
)

var (
	lowPort  = regexp.MustCompile(`(listen\s+(?:\[?[0-9a-f:.]+\]?:)?)(\d{2,3})([\s;])`)
	userLine = regexp.MustCompile(`(?m)^user .*;`)
	fileLine = regexp.MustCompile(`(?m)^\s*(?:proxy_|grpc_)?ssl_(?:certificate|certificate_key|client_certificate|trusted_certificate)\s+(\S+);`)
)

// planted writes a corpus archive to a folder, where it can run: the folders of
// the system are within it, ports need no rights, and the certificates that it
// names are there. It returns the path of the nginx.conf.
func planted(t *testing.T, d importer.Disk) string {
	t.Helper()
	dir := t.TempDir() + "/"
	cert, key := xdstest.Certificate(t, 1)
	for name, text := range d {
		for _, of := range []string{"/etc/nginx/", "/etc/ssl/", "/var/log/nginx/", "/var/cache/", "/var/run/", "/run/"} {
			text = regexp.MustCompile(`(^|[\s:])`+of).ReplaceAllString(text, "${1}"+dir+strings.TrimPrefix(strings.TrimPrefix(of, "/etc/nginx/"), "/"))
		}
		text = lowPort.ReplaceAllStringFunc(text, func(s string) string {
			m := lowPort.FindStringSubmatch(s)
			n, _ := strconv.Atoi(m[2])
			return m[1] + strconv.Itoa(20_000+n) + m[3]
		})
		text = userLine.ReplaceAllString(text, "")
		plant(t, dir+strings.TrimPrefix(name, importer.Root), []byte(text))
		for _, m := range fileLine.FindAllStringSubmatch(text, -1) {
			file, data := m[1], cert
			if !filepath.IsAbs(file) {
				file = dir + file
			}
			if strings.Contains(m[0], "_key") {
				data = key
			}
			plant(t, file, data)
		}
	}
	for _, of := range []string{"var/log/nginx", "var/cache", "run", "var/run"} {
		if err := os.MkdirAll(dir+of, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir + "nginx.conf"
}

func plant(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func imported(t *testing.T, file string) *mesh.Mesh {
	t.Helper()
	c, err := conf.Parse(file, conf.Disk{})
	if err != nil {
		t.Fatal(err)
	}
	return importer.Import(c).Mesh
}

// TestEnvoyTakesTheCorpus has a real Envoy judge what is made of the corpus, as a
// bootstrap with all of it.
func TestEnvoyTakesTheCorpus(t *testing.T) {
	t.Parallel()
	envoy := xdstest.NeedEnvoy(t)
	for name, a := range importer.Corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := files.Static(imported(t, planted(t, importer.DiskOf(t, a))))
			if err != nil {
				t.Fatal(err)
			}
			text, err := protojson.Marshal(b)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "bootstrap.json")
			plant(t, file, text)
			out, err := exec.Command(envoy, "--mode", "validate", "-c", file, "--log-level", "error").CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestNginxTakesTheCorpusBack holds that nginx takes what the mesh of the corpus
// is shown as.
func TestNginxTakesTheCorpusBack(t *testing.T) {
	t.Parallel()
	nginxtest.Need(t)
	for name, a := range importer.Corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nginxtest.Accepted(t, nginx.Project(imported(t, planted(t, importer.DiskOf(t, a)))).String())
		})
	}
}

// held are the words with which a bare nginx refuses what is right elsewhere.
var held = map[string]string{
	"api-gateway": `host not found in upstream "orders.internal.example`,
	"hardened":    `unknown directive "more_clear_headers"`, // a module of its own
	"spa":         `host not found in upstream "backend.internal.example"`,
}

// TestCorpusIsGoodNginx holds that the corpus is what nginx takes.
func TestCorpusIsGoodNginx(t *testing.T) {
	t.Parallel()
	program := nginxtest.Need(t)
	for name, a := range importer.Corpus(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := importer.DiskOf(t, a)
			if strings.Contains(d[importer.Root+"nginx.conf"], "ngx_stream_module") {
				d[importer.Root+"nginx.conf"] = strings.Replace(d[importer.Root+"nginx.conf"], "modules/ngx_stream_module.so", nginxtest.NeedStream(t), 1)
			}
			file := planted(t, d)
			out, err := exec.Command(program, "-t", "-e", "stderr", "-p", filepath.Dir(file)+"/", "-c", file, "-g", "error_log stderr;").CombinedOutput()
			want, refused := held[name]
			if refused != (err != nil) || !strings.Contains(string(out), want) {
				t.Errorf("nginx -t: %v\n%s", err, out)
			}
		})
	}
	for name := range held {
		if !slices.Contains(names(importer.Corpus(t)), name) {
			t.Errorf("no %s in the corpus", name)
		}
	}
}

func names[V any](m map[string]V) (out []string) {
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
