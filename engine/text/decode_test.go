package text

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/meshtui/engine/mesh"
	xdstype "github.com/cncf/xds/go/xds/type/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

var typeByName = map[string]mesh.Type{"listener": mesh.Listener, "route": mesh.Route, "cluster": mesh.Cluster,
	"endpoints": mesh.Endpoints, "secret": mesh.Secret, "virtual_host": mesh.VirtualHost, "scoped_route": mesh.ScopedRoute,
	"extension": mesh.Extension, "runtime": mesh.Runtime}

// Each archive in testdata/decode holds cases of three files: NAME/TYPE is a
// text, NAME/findings what Decode says about it, NAME/encoded what Encode makes
// of the resource.
func TestDecodeGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/decode/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) { decodeGolden(t, file) })
	}
}

func decodeGolden(t *testing.T, file string) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range ar.Files {
		want[f.Name] = string(f.Data)
	}
	out := &txtar.Archive{Comment: ar.Comment}
	for _, f := range ar.Files {
		name, kind := filepath.Split(f.Name)
		if typeByName[kind] == 0 {
			continue
		}
		got := map[string]string{}
		got["findings"], got["encoded"] = decodeCase(t, typeByName[kind], string(f.Data))
		out.Files = append(out.Files, f)
		for _, part := range []string{"findings", "encoded"} {
			if got[part] != "" {
				out.Files = append(out.Files, txtar.File{Name: name + part, Data: []byte(got[part])})
			}
			if diff := cmp.Diff(want[name+part], got[part]); diff != "" && !*update {
				t.Errorf("%s%s (-want +got):\n%s", name, part, diff)
			}
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func decodeCase(t *testing.T, typ mesh.Type, text string) (findings, encoded string) {
	t.Helper()
	r, fs := Decode(typ, mesh.Source{Text: text})
	var b strings.Builder
	for _, f := range fs {
		fmt.Fprintf(&b, "%d:%d [%s] %s\n", f.Line, f.Column, f.Rule, f)
		if f.Line == 0 {
			t.Errorf("no line in %s", f)
		}
	}
	if (r == nil) != (mesh.Worst(fs) >= mesh.Error) {
		t.Errorf("resource %v beside findings %v", r, fs)
	}
	if r == nil {
		return b.String(), ""
	}
	encoded, err := Encode(r.Message)
	if err != nil {
		t.Fatal(err)
	}
	again, fs := Decode(typ, mesh.Source{Text: encoded})
	if mesh.Worst(fs) >= mesh.Error {
		t.Fatalf("what Encode wrote cannot be read: %v\n%s", fs, encoded)
	}
	if !proto.Equal(r.Message, again.Message) {
		t.Errorf("Decode of Encode differs:\n%v\n%v", r.Message, again.Message)
	}
	return b.String(), encoded
}

func TestDecodeCountsLinesFromTheFile(t *testing.T) {
	_, fs := Decode(mesh.Cluster, mesh.Source{File: "cds.yaml", Line: 7, Indent: 2, Text: "name: app\nlb_polcy: x\n"})
	if len(fs) != 1 || fs[0].Line != 8 || fs[0].Column != 3 || fs[0].File != "cds.yaml" {
		t.Fatalf("got %+v, want one finding at cds.yaml:8:3", fs)
	}
	if want := (mesh.Key{Type: mesh.Cluster, Name: "app"}); fs[0].Key != want {
		t.Errorf("key %v, want %v", fs[0].Key, want)
	}
}

func TestDecodeUnknownType(t *testing.T) {
	r, fs := Decode(mesh.Type(99), mesh.Source{Text: "name: x"})
	if r != nil || mesh.Worst(fs) != mesh.Error {
		t.Fatalf("got %v, %v", r, fs)
	}
}

func TestCarriedExtensionIsTypedStruct(t *testing.T) {
	r, fs := Decode(mesh.Cluster, mesh.Source{Text: "name: a\nfilters:\n- name: f\n  typed_config:\n    \"@type\": type.googleapis.com/my.Filter\n    n: 1\n    s: [x, {t: on}]\n"})
	if r == nil {
		t.Fatal(fs)
	}
	packed := r.Message.(*clusterv3.Cluster).GetFilters()[0].GetTypedConfig()
	var s xdstype.TypedStruct
	if err := packed.UnmarshalTo(&s); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"n": 1.0, "s": []any{"x", map[string]any{"t": true}}}
	if diff := cmp.Diff(want, s.GetValue().AsMap()); diff != "" || s.GetTypeUrl() != "type.googleapis.com/my.Filter" {
		t.Errorf("type %s (-want +got):\n%s", s.GetTypeUrl(), diff)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]*durationpb.Duration{
		"0.25s": {Nanos: 250_000_000}, "5s": {Seconds: 5}, "-1.5s": {Seconds: -1, Nanos: -500_000_000},
		"0.000000001s": {Nanos: 1}, "315576000000s": {Seconds: 315576000000},
	} {
		m := &clusterv3.Cluster{}
		if fs := DecodeInto(m, mesh.Source{Text: "connect_timeout: " + text}); len(fs) > 0 {
			t.Errorf("%s: %v", text, fs)
		}
		if !proto.Equal(m.GetConnectTimeout(), want) {
			t.Errorf("%s: got %v, want %v", text, m.GetConnectTimeout(), want)
		}
		if got := formatDuration(want.Seconds, want.Nanos); got != text {
			t.Errorf("%v is written as %s, want %s", want, got, text)
		}
	}
}

// An alias bomb and deep nesting must end in a finding, not in a dead process.
func TestBombs(t *testing.T) {
	bomb := "name: x\nmetadata:\n  filter_metadata:\n    a0: &a0 {x: [1,1,1,1,1,1,1,1,1]}\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("    a%d: &a%d {x: [%s]}\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 9), ","))
	}
	for name, text := range map[string]string{
		"aliases": bomb,
		"nesting": "metadata: " + strings.Repeat("{a: ", 5000) + "1" + strings.Repeat("}", 5000),
		"lists":   strings.Repeat("[", 9000),
		"self":    "metadata: &a\n  filter_metadata: {x: {y: *a}}\n",
		"merge":   "metadata: &a\n  <<: *a\n",
	} {
		if r, fs := Decode(mesh.Cluster, mesh.Source{Text: text}); r != nil && name != "merge" {
			t.Errorf("%s was read: %v", name, fs)
		}
		if out, err := Set(text, "name", "y"); name != "merge" && err == nil {
			t.Errorf("%s was edited: %.100s", name, out)
		}
	}
}

// A mapping with many keys is searched another way than one with few.
func TestDuplicatesAmongManyKeys(t *testing.T) {
	var b strings.Builder
	b.WriteString("name: x\nmetadata:\n  filter_metadata:\n")
	for i := range 40 {
		fmt.Fprintf(&b, "    k%d: {}\n", i)
	}
	if _, fs := Decode(mesh.Cluster, mesh.Source{Text: b.String()}); len(fs) > 0 {
		t.Fatal(fs)
	}
	_, fs := Decode(mesh.Cluster, mesh.Source{Text: b.String() + "    k3: {}\n    k39: {}\n"})
	if len(fs) != 2 || fs[0].Rule != "duplicate-key" || fs[1].Line != 45 {
		t.Errorf("got %v", fs)
	}
}
