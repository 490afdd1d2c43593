package vcenter

// journal saves the inventory.
type journal struct{ vc *VCenter }

func newJournal(vc *VCenter) *journal { return &journal{vc: vc} }
func (j *journal) touch()             {}
func (j *journal) start()             {}
func (j *journal) stop() error        { return nil }
func (j *journal) restore() (bool, error) {
	return false, nil
}
