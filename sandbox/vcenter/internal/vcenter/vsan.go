package vcenter

import (
	"maps"
	"path"
	"reflect"
	"strings"
	"unsafe"

	"github.com/vmware/govmomi/simulator"
)

// friendlyNames is the library's map from the name of a top-level vSAN folder to the UUID that the folder really has.
// The library does not export it; without it, a restart would lead every name to a new and empty folder.
func friendlyNames(ds *simulator.Datastore) *map[string]string {
	field := reflect.ValueOf(ds).Elem().FieldByName("namespace")
	return (*map[string]string)(unsafe.Pointer(field.UnsafeAddr()))
}

func (vc *VCenter) readFriendlyNames(ds *simulator.Datastore) map[string]string {
	var names map[string]string
	ctx := vc.context()
	ctx.WithLock(ds.Self, func() { names = maps.Clone(*friendlyNames(ds)) })
	return names
}

func (vc *VCenter) writeFriendlyNames(ds *simulator.Datastore, names map[string]string) {
	ctx := vc.context()
	ctx.WithLock(ds.Self, func() { *friendlyNames(ds) = maps.Clone(names) })
}

// localPath leads a path inside a datastore to the local file, through vSAN's names where it has them.
func (vc *VCenter) localPath(ds *simulator.Datastore, inside string) string {
	clean := strings.TrimPrefix(path.Clean("/"+inside), "/") // ".." cannot lead out of the datastore
	if ds.Summary.Type == "vsan" {
		first, rest, _ := strings.Cut(clean, "/")
		if id, ok := vc.readFriendlyNames(ds)[first]; ok {
			clean = path.Join(id, rest)
		}
	}
	return path.Join(ds.Summary.Url, clean)
}
