package vcenter

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// searchFolder follows HostDatastoreBrowser.SearchDatastore_Task. The library's ends the process when there is no
// search specification, and shows the length of a disk's descriptor as the disk's size.
func searchFolder(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.SearchDatastore_Task)
	results, fault := j.vc.search(j, req.DatastorePath, req.SearchSpec, false)
	if fault != nil {
		return nil, fault
	}
	return results[0], nil
}

// searchSubFolders follows HostDatastoreBrowser.SearchDatastoreSubFolders_Task.
func searchSubFolders(j *job, m *simulator.Method) (types.AnyType, types.BaseMethodFault) {
	req := m.Body.(*types.SearchDatastoreSubFolders_Task)
	results, fault := j.vc.search(j, req.DatastorePath, req.SearchSpec, true)
	if fault != nil {
		return nil, fault
	}
	return types.ArrayOfHostDatastoreBrowserSearchResults{HostDatastoreBrowserSearchResults: results}, nil
}

// browse is one search.
type browse struct {
	ds      *simulator.Datastore
	spec    types.HostDatastoreBrowserSearchSpec
	details types.FileQueryFlags
	results []types.HostDatastoreBrowserSearchResults

	friendly map[string]string // names of vSAN's top-level folders by UUID, in a search of the root
}

func inverse(names map[string]string) map[string]string {
	swapped := map[string]string{}
	for name, id := range names {
		swapped[id] = name
	}
	return swapped
}

func (vc *VCenter) search(j *job, where string, spec *types.HostDatastoreBrowserSearchSpec, recurse bool) ([]types.HostDatastoreBrowserSearchResults, types.BaseMethodFault) {
	var p object.DatastorePath
	if !p.FromString(where) {
		return nil, &types.InvalidDatastorePath{DatastorePath: where}
	}
	ds := vc.datastoreNamed(p.Datastore)
	if ds == nil {
		return nil, &types.InvalidDatastore{Name: p.Datastore}
	}
	b := &browse{ds: ds}
	if spec != nil {
		b.spec = *spec
	}
	if b.spec.Details != nil {
		b.details = *b.spec.Details
	}
	folder := "[" + ds.Name + "]"
	if clean := path.Clean("/" + p.Path); clean != "/" {
		folder += " " + clean[1:]
	} else {
		b.friendly = inverse(vc.readFriendlyNames(ds))
	}
	if err := b.folder(folder, vc.localPath(ds, p.Path), recurse); err != nil {
		return nil, &types.FileNotFound{FileFault: types.FileFault{File: where}}
	}
	return b.results, nil
}

func (b *browse) folder(name, dir string, recurse bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	result := types.HostDatastoreBrowserSearchResults{Datastore: &b.ds.Self, FolderPath: name}
	var folders []string
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // went away meanwhile
		}
		if info.IsDir() {
			folders = append(folders, entry.Name())
		}
		if b.wanted(info) {
			result.File = append(result.File, b.describe(dir, info))
		}
	}
	b.results = append(b.results, result)
	if !recurse {
		return nil
	}
	for _, folder := range folders {
		separator := "/"
		if strings.HasSuffix(name, "]") {
			separator = " "
		}
		_ = b.folder(name+separator+folder, filepath.Join(dir, folder), true)
	}
	return nil
}

// wanted applies name patterns and kinds; flat files belong to their disks and are shown only by name.
func (b *browse) wanted(info os.FileInfo) bool {
	name := info.Name()
	flat := strings.HasSuffix(name, "-flat.vmdk")
	if patterns := b.spec.MatchPattern; len(patterns) > 0 && !slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	}) {
		return false
	}
	if len(b.spec.Query) == 0 {
		return !flat || slices.Contains(b.spec.MatchPattern, name)
	}
	return slices.ContainsFunc(b.spec.Query, func(q types.BaseFileQuery) bool { return matchesKind(q, info, flat) })
}

func matchesKind(query types.BaseFileQuery, info os.FileInfo, flat bool) bool {
	extension := path.Ext(info.Name())
	switch query.(type) {
	case *types.FolderFileQuery:
		return info.IsDir()
	case *types.VmDiskFileQuery:
		return extension == ".vmdk" && !flat
	case *types.VmConfigFileQuery:
		return extension == ".vmx"
	case *types.VmLogFileQuery:
		return extension == ".log"
	case *types.VmNvramFileQuery:
		return extension == ".nvram"
	case *types.IsoImageFileQuery:
		return extension == ".iso"
	case *types.FloppyImageFileQuery:
		return extension == ".img" || extension == ".flp"
	case *types.VmSnapshotFileQuery:
		return extension == ".vmsn"
	case *types.FileQuery:
		return true
	}
	return false
}

// describe makes the file's entry. A disk's size is what its blocks take, as for a thin disk.
func (b *browse) describe(dir string, info os.FileInfo) types.BaseFileInfo {
	entry := types.FileInfo{Path: info.Name()}
	if dir == b.ds.Summary.Url {
		entry.FriendlyName = b.friendly[info.Name()]
	}
	if b.details.FileSize {
		entry.FileSize = info.Size()
	}
	if b.details.Modification {
		modified := info.ModTime()
		entry.Modification = &modified
	}
	if b.details.FileOwner {
		entry.Owner = "root"
	}
	switch {
	case info.IsDir():
		return &types.FolderFileInfo{FileInfo: entry}
	case path.Ext(info.Name()) == ".vmdk":
		return b.disk(entry, filepath.Join(dir, info.Name()))
	case path.Ext(info.Name()) == ".vmx":
		return &types.VmConfigFileInfo{FileInfo: entry}
	case path.Ext(info.Name()) == ".log":
		return &types.VmLogFileInfo{FileInfo: entry}
	case path.Ext(info.Name()) == ".nvram":
		return &types.VmNvramFileInfo{FileInfo: entry}
	case path.Ext(info.Name()) == ".iso":
		return &types.IsoImageFileInfo{FileInfo: entry}
	}
	return &entry
}

// disk adds what a disk query may ask for: capacity, and that our disks are thin.
func (b *browse) disk(entry types.FileInfo, descriptor string) types.BaseFileInfo {
	info := &types.VmDiskFileInfo{FileInfo: entry}
	file, err := readDisk(descriptor)
	if err != nil {
		return info
	}
	if b.details.FileSize {
		info.FileSize = allocated(file.flat)
	}
	info.CapacityKb = file.capacity() / 1024
	info.DiskType = "VirtualDiskFlatVer2BackingInfo"
	info.Thin = types.NewBool(true)
	return info
}
