// Command escale-vcenter simulates one vCenter for development and tests.
//
// One process is one vCenter, so that each can be killed, slowed and broken alone.
// README.md describes the flags, the control API and every shim.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"escale/sandbox/vcenter/internal/vcenter"
)

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	log.SetOutput(vcenter.QuietLog(os.Stderr))
	settings, err := vcenter.ParseSettings(os.Args[1:], os.Getenv)
	if err == flag.ErrHelp {
		os.Exit(0)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "escale-vcenter:", err)
		os.Exit(2)
	}
	if err := run(settings); err != nil {
		fmt.Fprintln(os.Stderr, "escale-vcenter:", err)
		os.Exit(1)
	}
}

// run serves until SIGTERM, SIGINT or (when asked) the end of its input, and prints the ready line as its only output.
func run(settings vcenter.Settings) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	vc, err := vcenter.Start(settings)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(vc.Ready()); err != nil {
		return err
	}
	if settings.StopOnEOF {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			stop <- syscall.SIGTERM
		}()
	}
	<-stop
	return vc.Stop()
}
