import pytest

from launcher.changelog import HEAD, release


@pytest.fixture
def changes(tmp_path):
    folder = tmp_path / "changes"
    folder.mkdir()
    (folder / "README.md").write_text("how it is done")
    return folder


def test_fragments_become_a_version_by_kind_and_are_gone(changes, tmp_path, capsys):
    (changes / "waves.added.md").write_text("Waves switch over\ntogether.\n")
    (changes / "login.fixed.md").write_text("Sign-in works again.")
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(HEAD + "\n## 0.1.0 (2026-01-01)\n\n### Added\n\n- The first one.\n")
    assert release("0.2.0", changes, changelog) == 0
    text = changelog.read_text()
    assert text.startswith(HEAD + "\n## 0.2.0 (")
    assert text.index("### Added\n\n- Waves switch over together.") < text.index("### Fixed\n\n- Sign-in works again.")
    assert text.index("Sign-in") < text.index("## 0.1.0")
    assert text.count("What is not released yet") == 1
    assert [path.name for path in changes.iterdir()] == ["README.md"]


def test_an_unknown_kind_stops_everything(changes, tmp_path, capsys):
    (changes / "waves.feature.md").write_text("Waves.")
    assert release("0.2.0", changes, tmp_path / "CHANGELOG.md") == 1
    assert "waves.feature.md is of no known kind" in capsys.readouterr().err
    assert (changes / "waves.feature.md").exists()
    assert not (tmp_path / "CHANGELOG.md").exists()


def test_nothing_to_tell_is_said(changes, tmp_path, capsys):
    assert release("0.2.0", changes, tmp_path / "CHANGELOG.md") == 1
    assert "There is no fragment" in capsys.readouterr().err
