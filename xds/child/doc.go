// Package child runs programs that end when this one does, however it ends.
//
// Each is a process group of its own, so that a Ctrl-C on the terminal is not its
// business and what it starts itself is ended with it. On Linux the kernel tells
// it when we are gone; elsewhere a watchdog does, which waits at the other end of
// a pipe.
package child
