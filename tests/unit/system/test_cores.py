"""The cores of CPUs, from made-up files of sysfs."""

from movepages.system.cores import count_cores


def test_cpus_of_one_core_count_once(tmp_path):
    for cpu, siblings in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        folder = tmp_path / f"cpu{cpu}" / "topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{siblings}\n")
    assert count_cores(range(4), tmp_path) == 2
    assert count_cores([0, 2], tmp_path) == 1
    assert count_cores([0, 1], tmp_path) == 2
    assert count_cores([0, 7, 8], tmp_path) == 3
    assert count_cores([], tmp_path) == 0
