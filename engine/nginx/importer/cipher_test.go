package importer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCiphersAsOpenSSL holds what cipher strings mean against what `openssl
// ciphers` of OpenSSL 3.0 said, less what Envoy does not have.
func TestCiphersAsOpenSSL(t *testing.T) {
	short := strings.NewReplacer("EE", "ECDHE-ECDSA-", "ER", "ECDHE-RSA-", "g256", "AES256-GCM-SHA384", "g128", "AES128-GCM-SHA256", "cc", "CHACHA20-POLY1305",
		"s256", "AES256-SHA", "s128", "AES128-SHA")
	for text, want := range map[string]string{
		"HIGH:!aNULL:!MD5":                             "EEg256 ERg256 EEcc ERcc EEg128 ERg128 EEs256 ERs256 EEs128 ERs128 g256 g128 s256 s128",
		"EECDH+AESGCM:EDH+AESGCM":                      "EEg256 ERg256 EEg128 ERg128",
		"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM":       "EEg256 ERg256 EEg128 ERg128 EEcc ERcc",
		"HIGH:!RSA":                                    "EEg256 ERg256 EEcc ERcc EEg128 ERg128 EEs256 ERs256 EEs128 ERs128",
		"AES128:AES256:@STRENGTH":                      "EEg256 ERg256 EEs256 ERs256 g256 s256 EEg128 ERg128 EEs128 ERs128 g128 s128",
		"ALL:+RSA:-ECDSA:ECDSA+AES128":                 "ERg256 ERcc ERg128 ERs256 ERs128 g256 g128 s256 s128 EEg128 EEs128",
		"ECDHE-RSA-AES128-GCM-SHA256:HIGH:!kRSA:!SHA1": "ERg128 EEg256 ERg256 EEcc ERcc EEg128",
		"EECDH+ECDSA+AESGCM:EECDH+aRSA+AESGCM:EECDH+ECDSA+SHA384:EECDH+aRSA+RC4:EECDH:EDH+aRSA:!RC4:!aNULL:!DSS": "EEg256 EEg128 ERg256 ERg128 EEcc ERcc EEs256 ERs256 EEs128 ERs128",
		"kEECDH+AES:TLSv1.2":              "EEg256 ERg256 EEg128 ERg128 EEs256 ERs256 EEs128 ERs128 EEcc ERcc g256 g128",
		"DEFAULT:-AES128:AES128+CHACHA20": "EEg256 ERg256 EEcc ERcc EEs256 ERs256 g256 s256",
		"SSLv3":                           "s256 s128",
		"AES256+ECDSA:+SHA1:RSA":          "EEg256 EEs256 g256 g128 s256 s128",
	} {
		got, _, _ := ciphers(text)
		if d := cmp.Diff(strings.Fields(short.Replace(want)), got); d != "" {
			t.Errorf("ciphers(%q) (-OpenSSL +ours):\n%s", text, d)
		}
	}
}

func TestCiphersSaysWhatIsMissing(t *testing.T) {
	_, missing, groups := ciphers("TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:!DES")
	if d := cmp.Diff([]string{"DHE-RSA-AES128-GCM-SHA256"}, missing); d != "" || groups {
		t.Errorf("missing, groups %v:\n%s", groups, d)
	}
	if _, missing, groups = ciphers("HIGH:!aNULL"); len(missing) > 0 || !groups {
		t.Errorf("HIGH: missing %v, groups %v", missing, groups)
	}
}
