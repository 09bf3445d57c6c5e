package cert

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	trustDomain = "meshtui"
	nodePath    = "/node/"
)

// identity is the SPIFFE id under which a certificate of ours names a node.
func identity(id string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: nodePath + id}
}

func checkID(id string) error {
	if id == "" || strings.ContainsAny(id, "/\\\x00\n") || len(id) > 200 {
		return fmt.Errorf("%q cannot be the id of a node in a certificate: it has 1 to 200 characters and neither / nor \\", id)
	}
	if !utf8.ValidString(id) {
		return fmt.Errorf("%q cannot be the id of a node in a certificate: it is not UTF-8", id)
	}
	if _, err := path.Match(id, ""); err != nil {
		return fmt.Errorf("%q is no glob: %w", id, err)
	}
	return nil
}

// Names lists the node ids, or globs of them, that a client's certificate
// carries: those of a SPIFFE id of ours; in a certificate of another authority its
// URIs, DNS names and common name.
func Names(c *x509.Certificate) []string {
	var ours, theirs []string
	for _, u := range c.URIs {
		if u.Scheme == "spiffe" && u.Host == trustDomain && strings.HasPrefix(u.Path, nodePath) {
			ours = append(ours, strings.TrimPrefix(u.Path, nodePath))
			continue
		}
		theirs = append(theirs, u.String())
	}
	if len(ours) > 0 {
		return ours
	}
	theirs = append(theirs, c.DNSNames...)
	if cn := c.Subject.CommonName; cn != "" {
		theirs = append(theirs, cn)
	}
	return theirs
}

// Permits says why a client with that certificate may not call itself by that
// node id; nil when it may. Only what a certificate of ours says is a glob.
func Permits(c *x509.Certificate, nodeID string) error {
	names := Names(c)
	if slices.ContainsFunc(names, func(name string) bool {
		fits, err := path.Match(name, nodeID)
		return name == nodeID || ours(c) && err == nil && fits
	}) {
		return nil
	}
	if len(names) == 0 {
		return errors.New("the client's certificate names no node: make one with `meshtui cert --node ID`")
	}
	return fmt.Errorf("the client's certificate is for %s and not for node %q: make one with `meshtui cert --node %s`", strings.Join(names, ", "), nodeID, nodeID)
}

func ours(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.URIs, func(u *url.URL) bool {
		return u.Scheme == "spiffe" && u.Host == trustDomain && strings.HasPrefix(u.Path, nodePath)
	})
}
