//go:build !linux

package truth_test

import "syscall"

// dieWithUs gives the child a process group of its own; more cannot be had here.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
