package check

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"sync"
	"time"
)

// today is the day by which the rules judge certificates.
var today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// certs are files of certificates and keys, by path.
var certs = sync.OnceValue(func() map[string][]byte {
	const hours = time.Hour
	out := map[string][]byte{}
	for name, span := range map[string][2]time.Duration{
		"good":   {-48 * hours, 60 * 24 * hours},
		"other":  {-48 * hours, 60 * 24 * hours},
		"old":    {-96 * hours, -48 * hours},
		"soon":   {-96 * hours, 72 * hours},
		"future": {24 * hours, 48 * 24 * hours},
	} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			panic(err)
		}
		form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name + ".example.com"},
			NotBefore: today.Add(span[0]), NotAfter: today.Add(span[1])}
		der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
		if err != nil {
			panic(err)
		}
		secret, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		out["/tls/"+name+".crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		out["/tls/"+name+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	}
	out["/tls/bundle.crt"] = append(append([]byte(nil), out["/tls/old.crt"]...), out["/tls/good.crt"]...)
	return out
})
