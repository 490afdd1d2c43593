package vcenter

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Settings say which vCenter to simulate and where it listens and keeps its files.
type Settings struct {
	Name          string
	Flavour       Flavour
	Listen        string // host:port of the API; port 0 chooses a free one
	ControlListen string // host:port of the control API
	Home          string // folder of certificate, credentials, datastores and saved inventory
	InstanceUUID  string
	Username      string
	Password      string
	Strict        bool // refuse duplicate names of machines in a folder, as a real vCenter does
	Ephemeral     bool // start from the flavour each time and save nothing
	GuestDelay    time.Duration
	StopOnEOF     bool // stop when standard input ends, as it does when the parent process dies
	MethodDelays  map[string]time.Duration
	Generation    int           // how often this vCenter was built anew: each has other references and UUIDs
	ClockOffset   time.Duration // how far the clock is ahead
	RoleMissing   []string      // privileges that the account lacks
	Machines      int           // further machines of others
}

// ParseSettings reads flags and, for the credentials, the environment and a file of mode 0600.
func ParseSettings(args []string, getenv func(string) string) (Settings, error) {
	s := Settings{MethodDelays: map[string]time.Duration{}}
	flags := flag.NewFlagSet("escale-vcenter", flag.ContinueOnError)
	flags.StringVar(&s.Name, "name", "paris", "name of the vCenter")
	flavour := flags.String("flavour", "private", "one of "+strings.Join(FlavourNames(), ", "))
	flags.StringVar(&s.Listen, "listen", "127.0.0.1:0", "address of the vSphere API")
	flags.StringVar(&s.ControlListen, "control", "127.0.0.1:0", "address of the control API")
	flags.StringVar(&s.Home, "home", "", "folder for certificate, credentials, disks and inventory (required)")
	flags.StringVar(&s.InstanceUUID, "instance-uuid", "", "instance UUID (default: derived from name and home)")
	flags.StringVar(&s.Username, "username", getenv("ESCALE_VCENTER_USERNAME"), "account (default: the flavour's administrator)")
	flags.StringVar(&s.Password, "password", getenv("ESCALE_VCENTER_PASSWORD"), "password (default: made once, kept in HOME/credentials)")
	credentials := flags.String("credentials", "", "file of mode 0600 with two lines: account and password")
	flags.BoolVar(&s.Strict, "strict", false, "refuse duplicate machine names in one folder")
	flags.BoolVar(&s.Ephemeral, "ephemeral", false, "forget the inventory at exit")
	flags.BoolVar(&s.StopOnEOF, "stop-on-eof", false, "stop when standard input ends (the parent died)")
	flags.DurationVar(&s.GuestDelay, "guest-delay", 300*time.Millisecond, "time from power-on to a guest address")
	delays := flags.String("method-delay", "", "comma-separated METHOD:MILLISECONDS")
	flags.DurationVar(&s.ClockOffset, "clock-offset", 0, "how far the clock is ahead of the machine's, such as 90s or -2m")
	flags.IntVar(&s.Generation, "generation", 0, "how often this vCenter was built anew: each generation has other references and UUIDs")
	missing := flags.String("role-missing", "", "comma-separated privileges that the account lacks, such as Folder.Create")
	flags.IntVar(&s.Machines, "machines", 0, "how many further machines of others there are, with clusters, datastores and networks for them")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.Home == "" {
		return s, errors.New("--home is missing: give the folder where this vCenter keeps its files")
	}
	var err error
	if s.Home, err = filepath.Abs(s.Home); err != nil {
		return s, err
	}
	if s.Flavour, err = FlavourNamed(*flavour); err != nil {
		return s, err
	}
	s.RoleMissing = []string{}
	for _, name := range strings.Split(*missing, ",") {
		if name = strings.TrimSpace(name); name != "" {
			s.RoleMissing = append(s.RoleMissing, name)
		}
	}
	if s.Generation < 0 || s.Generation > 1000 {
		return s, fmt.Errorf("--generation %d is not between 0 and 1000", s.Generation)
	}
	if s.Machines < 0 || s.Machines > 100_000 {
		return s, fmt.Errorf("--machines %d is not between 0 and 100000", s.Machines)
	}
	s.Flavour = s.Flavour.grown(s.Machines)
	for _, address := range []string{s.Listen, s.ControlListen} {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return s, fmt.Errorf("%q is not HOST:PORT: %w", address, err)
		}
	}
	if s.MethodDelays, err = parseDelays(*delays); err != nil {
		return s, err
	}
	return s, s.resolveCredentials(*credentials)
}

func parseDelays(text string) (map[string]time.Duration, error) {
	delays := map[string]time.Duration{}
	for _, item := range strings.Split(text, ",") {
		if item == "" {
			continue
		}
		method, ms, ok := strings.Cut(item, ":")
		n, err := strconv.Atoi(ms)
		if !ok || err != nil || n < 0 {
			return nil, fmt.Errorf("--method-delay %q is not METHOD:MILLISECONDS", item)
		}
		delays[method] = time.Duration(n) * time.Millisecond
	}
	return delays, nil
}

// resolveCredentials fills Username and Password from the file, the flavour or HOME/credentials.
func (s *Settings) resolveCredentials(path string) error {
	own := filepath.Join(s.Home, "credentials")
	if path == "" && s.Password == "" {
		if _, err := os.Stat(own); err == nil {
			path = own
		}
	}
	if path != "" {
		return s.readCredentials(path)
	}
	if s.Username == "" {
		s.Username = s.Flavour.Account
	}
	if s.Password != "" {
		return nil
	}
	s.Password = randomPassword()
	if err := os.MkdirAll(s.Home, 0o700); err != nil {
		return err
	}
	return os.WriteFile(own, []byte(s.Username+"\n"+s.Password+"\n"), 0o600)
}

func (s *Settings) readCredentials(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s can be read by others: chmod 600 it", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 || lines[0] == "" || lines[1] == "" {
		return fmt.Errorf("%s must hold two lines: account and password", path)
	}
	s.Username, s.Password = strings.TrimSpace(lines[0]), strings.TrimSpace(lines[1])
	return nil
}
