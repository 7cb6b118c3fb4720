def test_smoke(burner, projects, devices, operators, attesters, inbox):
    assert projects.project_count() == 1
    assert burner.burned(b"project-fee".ljust(32, b"\0")) == 250000000000000
