// Package cert makes and reads what mutual TLS between meshtui and the nodes
// beyond this machine takes: a certificate authority of one's own, a certificate
// for the server, and one for each node, which says under which node id it may
// ask for its configuration.
//
// A folder holds them all: ca.pem and ca.key, server.pem and server.key, and a
// pair for each node. Certificates of another authority do as well, under the
// same file names. Keys are for their owner alone (0600), and are ECDSA on P-256,
// which every Envoy and gRPC takes.
package cert
