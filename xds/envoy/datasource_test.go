package envoy

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"example.com/meshtui/engine/mesh"
)

// A secret that Envoy reads from files itself is shown with their bytes.
func TestSecretFromFiles(t *testing.T) {
	const (
		inFiles = "secret\nname: s\ntls_certificate: {certificate_chain: {filename: c.pem}, private_key: {filename: k.pem}}\n"
		inline  = "secret\nname: s\ntls_certificate: {certificate_chain: {inline_string: CHAIN}, private_key: {inline_string: KEY}}\n"
		shown   = "secret\nname: s\ntls_certificate: {certificate_chain: {inline_bytes: Q0hBSU4=}, private_key: {inline_bytes: W3JlZGFjdGVkXQ==}}\n"
		crl     = "secret\nname: s\nvalidation_context: {trusted_ca: {filename: ca.pem}, crl: {environment_variable: CRL}}\n"
		crlRead = "secret\nname: s\nvalidation_context: {trusted_ca: {inline_bytes: Q0hBSU4=}, crl: {inline_bytes: Q0hBSU4=}}\n"
	)
	key := mesh.Key{Type: mesh.Secret, Name: "s"}
	for name, tt := range map[string]struct {
		served, shown string
		want          ActiveState
		detail        string
	}{
		"from a file":                {inFiles, shown, NotObservable, "it is in use; Envoy reads c.pem itself, and what it has read cannot be compared"},
		"from a variable too":        {crl, crlRead, NotObservable, "it is in use; Envoy reads ca.pem itself, and what it has read cannot be compared"},
		"a string shown as bytes":    {inline, shown, ActiveSame, ""},
		"other bytes":                {inline, strings.Replace(shown, "Q0hBSU4=", "T1RIRVI=", 1), ActiveOther, "differs in tls_certificate.certificate_chain.inline_bytes"},
		"from another file, unread":  {inFiles, strings.Replace(inFiles, "c.pem", "d.pem", 1), ActiveOther, "differs in tls_certificate.certificate_chain.filename"},
		"something else than served": {crl, shown, ActiveOther, "differs in tls_certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			served := parse(t, tt.served)
			before := proto.Clone(served)
			o := observed{dumps: map[mesh.Type]*dump{mesh.Secret: {active: map[string]dumped{"s": {Message: parse(t, tt.shown)}}}}}
			got := compare(map[mesh.Key]proto.Message{key: served}, []mesh.Key{key}, o)[key]
			if got.State != tt.want || got.Detail != tt.detail {
				t.Errorf("%s: %q, want %s: %q", got.State, got.Detail, tt.want, tt.detail)
			}
			if !proto.Equal(before, served) {
				t.Error("what was served was changed")
			}
		})
	}
}
