package matchtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/meshtui/engine/match"
	"example.com/meshtui/engine/mesh"
)

// Every connection to a listener of random filter chains gets the one that the
// matcher says, with a real Envoy for a judge.
func TestFilterChainsAgainstEnvoy(t *testing.T) {
	l := newLab(t)
	cert, key := selfSigned(t)
	n, seed := number(t, "MESHTUI_FUZZ_ENVOY", 12000)/8, uint64(number(t, "MESHTUI_SEED", 1))
	without := strings.Split(os.Getenv("MESHTUI_WITHOUT"), ",")
	run := l.run(seed, n, 40, func(m *mesh.Mesh) Asker { return match.New(m) }, func(seed uint64, o Options) Case {
		o.Without = without
		o.Certificate, o.PrivateKey = cert, key
		return NewChains(seed, o)
	})
	t.Logf("%s\n%d cases that Envoy refuses", &run.tally, len(run.refused))
	for _, why := range run.refused {
		t.Errorf("the generator made what Envoy refuses: %s", why)
	}
	l.reportEach(run)
}

// selfSigned is a certificate and its key as PEM.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}))
}
