package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/adrg/xdg"
	"github.com/spf13/cobra"

	"example.com/meshtui/xds/cert"
)

// certDir is where certificates lie unless it is told otherwise.
func certDir() string { return filepath.Join(xdg.ConfigHome, "meshtui", "tls") }

// certFlags say which certificates to make.
type certFlags struct {
	dir   string
	hosts []string
	nodes []string
	days  int
	renew bool
}

func newCert() *cobra.Command {
	var f certFlags
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Make the certificates that nodes beyond this machine need",
		Long: `Make a local certificate authority, a certificate for meshtui as a server and one
for each node, for mutual TLS. What is there already is left as it is, unless
--renew says so; the authority is always kept.

A node's certificate says under which node id it may ask; --node 'edge-*' makes one
for all that fit.`,
		Example: `  meshtui cert --host mesh.example.com --node edge
  meshtui serve mesh/ --xds 0.0.0.0:18000 --tls ` + "~/.config/meshtui/tls" + `
  meshtui bootstrap --xds mesh.example.com:18000 --node edge --tls /etc/meshtui > edge.yaml`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.days < 1 {
				return usageError(fmt.Errorf("--days %d: a certificate is valid for at least a day", f.days))
			}
			return f.run(cmd.OutOrStdout())
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&f.dir, "dir", certDir(), "the folder for certificates and keys")
	fs.StringArrayVar(&f.hosts, "host", nil, "a host name or IP address under which this meshtui is reached; may be given several times (default: localhost, 127.0.0.1, ::1 and this machine's name)")
	fs.StringArrayVar(&f.nodes, "node", []string{"envoy"}, "a node id, or a glob of ids; may be given several times")
	fs.IntVar(&f.days, "days", 365, "for how many days the certificates are valid")
	fs.BoolVar(&f.renew, "renew", false, "make them anew where they are there already")
	return cmd
}

func (f certFlags) run(out io.Writer) error {
	folder := cert.Folder{Dir: f.dir}
	_, made, err := folder.Authority()
	if err != nil {
		return err
	}
	told := []string{word(made), folder.CA(), "the authority; its key beside it signs, and stays here"}
	print := func(told []string) { fmt.Fprintf(out, "%-4s  %s  %s\n", told[0], told[1], told[2]) }
	print(told)

	life := time.Duration(f.days) * 24 * time.Hour
	hosts := f.hosts
	if len(hosts) == 0 {
		hosts = thisMachine()
	}
	path, key := folder.Server()
	made, err = folder.Issue(path, key, f.renew, func(a *cert.Authority) (cert.Pair, error) { return a.Server(time.Now(), life, hosts...) })
	if err != nil {
		return err
	}
	said := "the server"
	if made {
		said += ", for " + strings.Join(hosts, ", ")
	} else if len(f.hosts) > 0 {
		said += ": it was there; --renew makes it for " + strings.Join(hosts, ", ")
	}
	print([]string{word(made), path, said})
	for _, id := range f.nodes {
		path, key := folder.Node(id)
		made, err := folder.Issue(path, key, f.renew, func(a *cert.Authority) (cert.Pair, error) { return a.Node(time.Now(), life, id) })
		if err != nil {
			return usageError(err)
		}
		print([]string{word(made), path, "for node " + id + "; its machine needs it, its key beside it, and ca.pem"})
	}
	return nil
}

func word(made bool) string {
	if made {
		return "made"
	}
	return "kept"
}

// thisMachine is how this machine is called by itself.
func thisMachine() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		hosts = append(hosts, name)
	}
	return hosts
}
