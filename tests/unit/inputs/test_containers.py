"""where() of objects with several arrays."""

import dataclasses
import datetime
import io
import pathlib
import re
import shelve
from collections import OrderedDict, UserDict, UserList, deque, namedtuple
from collections.abc import Iterator, Mapping
from datetime import UTC
from enum import Enum, StrEnum
from types import MappingProxyType
from weakref import WeakKeyDictionary

import numpy as np
import pytest

import movepages as mp
from movepages.inputs import members, memory_of, registry

# The same on every kernel.
pytestmark = pytest.mark.host

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class State:
    weights: np.ndarray
    rate: float
    history: list


def test_names_are_paths() -> None:
    a = np.ones(10)
    state = State(a, 0.1, [a, (a, {"b c": a})])
    found = mp.where({"state": state, "point": Point(a, a), "n": 3, 7: a, "layers.0.w": a})
    assert list(found) == [
        "state.weights",
        "state.history[0]",
        "state.history[1][0]",
        "state.history[1][1]['b c']",
        "point.x",
        "point.y",
        "[7]",
        "layers.0.w",
    ]


@pytest.mark.parametrize("make", [list, tuple, lambda arrays: dict(enumerate(arrays))])
def test_each_member_is_where_it_is_alone(make) -> None:
    arrays = [np.ones(1 << 14), np.empty(1 << 16), np.ones((100, 100))[:, ::3]]
    found = mp.where(make(arrays))
    assert len(found) == 3
    for index, array in enumerate(arrays):
        alone = mp.where(array)
        assert found[index] == alone
        assert found[index].nbytes == alone.nbytes
        assert found[index].shape == alone.shape
        assert found[index].absent_reasons == alone.absent_reasons
        assert found[index].shared_edges == alone.shared_edges
    assert found.absent_bytes == sum(mp.where(each).absent_bytes for each in arrays)


def test_shared_memory_counts_once() -> None:
    a = np.ones(1 << 16)
    found = mp.where({"whole": a, "again": a, "half": a[: 1 << 15], "some": a[::1000]})
    assert found.total == mp.where(a)
    assert found.nbytes == a.nbytes
    assert sum(each.nbytes for each in found.values()) > a.nbytes


def test_many_small_arrays_in_one_go() -> None:
    arrays = [np.ones(100) for _ in range(20_000)]
    found = mp.where(arrays)
    assert len(found) == 20_000
    assert found.nbytes == 20_000 * 800
    assert sum(found.bytes_per_node.values()) == found.nbytes
    assert found[19_999] == mp.where(arrays[-1])


def test_a_container_that_contains_itself() -> None:
    a: list = [np.ones(3)]
    a.append(a)
    assert list(mp.where(a)) == ["[0]"]


@pytest.mark.host
def test_very_deep_containers() -> None:
    deep: list = [np.ones(3)]
    for _ in range(5000):
        deep = [deep]
    assert len(mp.where(deep)) == 1


def test_names_that_collide_are_told_apart() -> None:
    a = np.ones(3)
    assert list(mp.where({"a.b": a, "a": {"b": a}})) == ["a.b", "a.b#2"]


@pytest.mark.parametrize("mapping", [OrderedDict, MappingProxyType])
def test_any_mapping(mapping) -> None:
    assert list(mp.where(mapping({"a": np.ones(3)}))) == ["a"]


def test_values_of_a_configuration_are_skipped() -> None:
    modes = Enum("Mode", "FAST SLOW")
    config = {"mode": modes.FAST, "zone": UTC, "name": re.compile("a.*"), "f": len, "g": np.add}
    assert list(mp.where({"config": config, "a": np.ones(3)})) == ["a"]


@pytest.mark.parametrize("nothing", [[1, 2], ["a", None, 2.5], {"a": {}, "b": 3}])
def test_a_container_without_memory_is_refused(nothing) -> None:
    with pytest.raises(TypeError, match=r"no array.*: all that it has are values, such as"):
        mp.where(nothing)


@pytest.mark.parametrize("empty", [[], (), {}, {"a": {}}, [deque(), []]])
def test_an_empty_container_has_no_bytes(empty, tmp_path) -> None:
    found = mp.where(empty)
    assert (list(found), found.nbytes, found.pages) == ([], 0, 0)
    assert str(found).startswith("0 members")
    assert found._repr_html_()
    node = mp.topology().allowed_nodes[0]
    for target in (node, mp.blocks([node, node + 1]), {}, found):
        assert mp.move(empty, target).ok
        assert mp.plan(empty, target).pages == 0
        assert len(mp.targets(empty, target)) == 0
    mp.bind(empty, node)
    mp.touch(empty)
    found.save(tmp_path / "empty.npz")
    assert list(mp.Placements.load(tmp_path / "empty.npz")) == []


@pytest.mark.parametrize("make", [deque, UserList, lambda a: dict(enumerate(a)).values()])
def test_what_is_in_order_is_like_a_list(make) -> None:
    arrays = [np.ones(3), [np.ones(4)], "text"]
    assert list(mp.where(make(arrays))) == ["[0]", "[1][0]"]
    held = np.empty(1, object)
    held[0] = make(arrays)
    assert list(mp.where(held)) == ["pointers", "[0][0]", "[0][1][0]"]


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda a: (each for each in a), r"only once: pass list\(\.\.\.\) of it$"),
        (lambda a: zip(a, a, strict=True), r"only once: pass list\(\.\.\.\)"),
        (lambda a: map(np.ndarray.ravel, a), r"only once: pass list\(\.\.\.\)"),
        (lambda a: iter(a), r"only once: pass list\(\.\.\.\)"),
        (lambda a: {id(each) for each in a}, r"neither names nor an order.*pass list\(\.\.\.\)"),
        (lambda a: frozenset(map(id, a)), r"neither names nor an order.*pass list\(\.\.\.\)"),
        (lambda a: dict(enumerate(a)).items(), "pass the mapping, whose keys"),
        (lambda _: io.BytesIO(b"abc"), r"pass its getbuffer\(\)"),
        (lambda _: object(), r"__movepages_buffers__\(\).*movepages\.register\(\)"),
    ],
)
def test_what_is_no_list_is_refused_as_it_is(make, remedy) -> None:
    arrays = [np.ones(3), np.ones(4)]
    given = make(arrays)
    with pytest.raises(TypeError, match=f"^got .*{remedy}"):
        mp.where(given)
    with pytest.raises(TypeError, match=rf"^x\[0\]: got .*{remedy}"):
        mp.move({"x": [given]}, 0)
    if isinstance(given, Iterator) and not isinstance(given, io.BytesIO):
        assert len(list(given)) == 2


@pytest.mark.parametrize("mode", ["r", "rb", "rb+"])
def test_an_open_file_is_refused(mode, tmp_path) -> None:
    (tmp_path / "table.bin").write_bytes(b"abc")
    with (
        open(tmp_path / "table.bin", mode) as file,
        pytest.raises(TypeError, match=r"^a: got .*np\.memmap.*page_cache\(\)$"),
    ):
        mp.where({"a": file})


def test_an_archive_is_refused_without_reading_it(tmp_path, monkeypatch) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones(1000))
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
        monkeypatch.setattr(type(file), "__getitem__", None)
        with pytest.raises(TypeError, match=r"^a: x of this NpzFile .* is a copy; .* d = dict"):
            mp.where({"a": file})
        assert list(mp.where(arrays)) == ["x"]


def test_a_mapping_that_reads_its_arrays_is_refused() -> None:
    class Archive(Mapping):
        def __getitem__(self, key):
            return np.ones(1000)

        def __iter__(self):
            return iter("x")

        def __len__(self):
            return 1

    with pytest.raises(TypeError, match=r"^a: x of this Archive .* is a copy; .* d = dict"):
        mp.where({"a": Archive()})


def test_a_mapping_that_reads_containers_of_arrays_is_refused(tmp_path) -> None:
    with shelve.open(str(tmp_path / "kept")) as shelf:
        shelf["n"] = {"rates": [0.1, 0.2], "name": "some"}
        shelf["layer"] = {"w": np.ones(100), "parts": [np.ones(10)]}
        with pytest.raises(TypeError, match=r"^layer of this .*Shelf is at another address"):
            mp.where(shelf)
        assert mp.where(dict(shelf)).nbytes == 880

    class Fresh(Mapping):
        """Makes the containers anew, and not what is in them."""

        def __init__(self, arrays):
            self.arrays = arrays

        def __getitem__(self, key):
            return {"own": [*self.arrays[key]]}

        def __iter__(self):
            return iter(self.arrays)

        def __len__(self):
            return len(self.arrays)

    assert list(mp.where(Fresh({"x": [np.ones(5), np.ones(0)]}))) == ["x.own[0]", "x.own[1]"]


def test_a_mapping_is_asked_again_for_arrays_alone() -> None:
    class Slow(UserDict):
        def items(self):
            return self.data.items()

        def __getitem__(self, key):
            asked.append(key)
            return self.data[key]

    asked: list[str] = []
    found = mp.where(Slow(n=3, kept=bytearray(9), a=np.ones(5), some=[np.ones(2)]))
    assert (list(found), asked) == (["kept", "a", "some[0]"], ["a", "some"])


def test_a_dict_that_makes_its_values_is_refused() -> None:
    class Lazy(dict):
        def __getitem__(self, key):
            return super().__getitem__(key) * 2

        def items(self):
            return ((key, self[key]) for key in self)

    with pytest.raises(TypeError, match=r"^x of this Lazy is at another address"):
        mp.where(Lazy(x=np.ones(100)))

    class Plain(OrderedDict):
        pass

    assert mp.where(Plain(x=np.ones(100))).nbytes == 800


def test_fields_that_are_not_set_hold_nothing() -> None:
    @dataclasses.dataclass(slots=True)
    class Lazy:
        w: np.ndarray
        cache: np.ndarray = dataclasses.field(init=False)

    state = Lazy(np.ones(10))
    assert list(mp.where({"state": state})) == ["state.w"]
    state.cache = np.ones(5)
    assert list(mp.where(state)) == ["w", "cache"]


def test_keys_that_are_numbers_of_numpy() -> None:
    a, b = np.ones(10), np.ones(20)
    found = mp.where({np.int64(3): a, (np.int32(1), "x"): b})
    assert list(found) == ["[3]", "[(1, 'x')]"]
    assert found[3].nbytes == found[np.uint8(3)].nbytes == 80
    assert mp.where([a, b])[np.argmax([1, 2])].nbytes == 160
    node = mp.topology().allowed_nodes[0]
    assert list(mp.move([a, b], {np.int64(0): node, 1: node}).by_member) == ["[0]", "[1]"]


@pytest.mark.parametrize("kind", [list, lambda arrays: dict(enumerate(arrays))])
def test_containers_that_are_shared_have_a_limit(kind, monkeypatch) -> None:
    monkeypatch.setattr(members, "_MOST_MEMBERS", 100)
    one = kind([np.ones(3)] * 60)
    assert len(mp.where(one)) == 60
    assert len(mp.where(kind([np.ones(3)] * 101))) == 101
    with pytest.raises(TypeError, match="got more than 100 members"):
        mp.where({"a": one, "b": one})
    with pytest.raises(TypeError, match="got more than 100 members"):
        mp.where({"a": one, "b": [np.ones(3)] * 41})


def test_a_member_that_cannot_be_looked_at_is_named() -> None:
    with pytest.raises(TypeError, match=r"^config\.logger: got object"):
        mp.where({"config": {"logger": object()}, "a": np.ones(3)})


def test_memory_of_two_processes_is_refused() -> None:
    with pytest.raises(ValueError, match="one process at a time"):
        mp.where([np.ones(3), mp.Region(4096, 4096, pid=1)])
    for own in [np.ones(3)], {"b": np.ones(3)}:
        with pytest.raises(
            ValueError, match=r"^a\.own: got memory of pid 0 beside memory of pid 1"
        ):
            mp.where({"other": mp.Region(4096, 4096, pid=1), "a": {"own": own}})


class Frame:
    def __init__(self) -> None:
        self.columns = {"x": np.ones(1000), "y": np.zeros(10)}

    def __movepages_buffers__(self):
        return self.columns.items()


class Wrapper:
    def __init__(self) -> None:
        self.array = np.ones((30, 40))

    def __movepages_buffers__(self):
        return self.array


def test_a_class_takes_part_by_a_method() -> None:
    frame = Frame()
    found = mp.where(frame)
    assert list(found) == ["x", "y"]
    assert found["x"] == mp.where(frame.columns["x"])


def test_a_class_may_be_one_array() -> None:
    wrapper = Wrapper()
    assert mp.where(wrapper) == mp.where(wrapper.array)
    assert mp.where(wrapper).shape == (30, 40)


def test_a_class_of_others_is_registered() -> None:
    class Theirs:
        data = np.ones(100)

    class Sub(Theirs):
        pass

    with pytest.raises(TypeError):
        mp.where(Theirs())
    mp.register(Theirs, lambda obj: [("data", obj.data)])
    assert list(mp.where(Sub())) == ["data"]


@pytest.mark.parametrize("kind", [list, tuple, dict])
def test_a_function_for_builtin_containers_sees_each_of_them(kind, monkeypatch) -> None:
    monkeypatch.setattr(registry, "_by_class", WeakKeyDictionary())
    monkeypatch.setattr(registry, "_found", WeakKeyDictionary())
    mp.register(kind, lambda each: [("first", each[0])])
    a = np.ones(10)
    for others in [a], [a, 3]:
        arrays = [a, *others]
        made = dict(enumerate(arrays)) if kind is dict else kind(arrays)
        assert list(mp.where(made)) == ["first"]
        assert list(mp.where(UserList([made]))) == ["[0].first"]


def test_a_class_is_registered_by_name_before_it_exists() -> None:
    mp.register(f"{__name__}.Later", lambda obj: [("data", obj.data)])

    class Later:
        data = np.ones(100)

    Later.__qualname__ = "Later"
    assert list(mp.where([Later()])) == ["[0].data"]


@pytest.mark.parametrize(
    ("kind", "function"), [(3, len), ("Table", len), ("a b.C", len), (Frame, 3)]
)
def test_what_cannot_be_registered(kind, function) -> None:
    with pytest.raises(TypeError, match="expected"):
        mp.register(kind, function)


def test_a_function_must_yield_members() -> None:
    class Wrong:
        pass

    mp.register(Wrong, lambda _: 3)
    with pytest.raises(TypeError, match="must yield"):
        mp.where(Wrong())


def test_an_error_of_a_function_names_the_member() -> None:
    class Broken:
        def __movepages_buffers__(self):
            yield "a", np.ones(3)
            raise ValueError("the second part is lost")

    with pytest.raises(ValueError, match=r"^\[0\]: the second part is lost"):
        mp.where([Broken()])


def test_an_error_of_a_function_keeps_its_class_and_shows_where_it_was_raised() -> None:
    class LostError(ValueError):
        pass

    class Broken:
        def __movepages_buffers__(self):
            yield "a", self.second()

        def second(self):
            raise LostError("the second part is lost", 2)

    with pytest.raises(LostError, match=r"^\('\[0\]: the second part is lost', 2\)") as caught:
        mp.where([Broken()])
    assert caught.traceback[-1].name == "second"


def test_a_key_that_holds_memory_is_not_written_out() -> None:
    class Tensor:
        def __array__(self):
            raise AssertionError

        def __repr__(self):
            raise AssertionError

    found = mp.where({Tensor(): np.ones(3), Tensor(): np.ones(4), 2: np.ones(5)})
    assert list(found) == ["[Tensor]", "[Tensor]#2", "[2]"]


def test_names_of_layers_need_no_quotes() -> None:
    found = mp.where({"0.weight": np.ones(3), "0.bias": np.ones(4), "1": np.ones(5)})
    assert list(found.below("0")) == ["0.weight", "0.bias"]
    assert found["1"].nbytes == 40


def test_temporary_containers_are_told_apart() -> None:
    class Temporary:
        def __movepages_buffers__(self):
            for size in range(50):
                yield str(size), [[np.ones(size + 1)]]

    assert len(mp.where(Temporary())) == 50


def test_keys_of_any_kind() -> None:
    class Kind(StrEnum):
        A = "a"

    class Tensor:
        def __array__(self):
            raise AssertionError

        def __repr__(self):
            raise AssertionError

    found = mp.where({Kind.A: np.ones(3), (Tensor(), 1): np.ones(4), (2,): np.ones(5)})
    assert list(found) == ["a", "[(Tensor, 1)]", "[(2,)]"]
    assert Kind.A in found
    assert (2,) in found


@pytest.mark.host
def test_a_class_that_makes_itself_is_refused() -> None:
    class Endless:
        def __movepages_buffers__(self):
            yield "next", Endless()

    with pytest.raises(TypeError, match="levels"):
        mp.where(Endless())


def test_a_class_without_a_module() -> None:
    class Odd:
        __module__ = None

    with pytest.raises(TypeError, match="got Odd"):
        mp.where(Odd())


def test_a_class_that_is_registered_during_a_search(monkeypatch) -> None:
    class Late:
        data = np.ones(100)

    search = registry._search

    def slow(kind):
        found = search(kind)
        if kind is Late:
            monkeypatch.setattr(registry, "_search", search)
            mp.register(Late, lambda obj: obj.data)
        return found

    monkeypatch.setattr(registry, "_search", slow)
    with pytest.raises(TypeError):
        mp.where(Late())
    assert mp.where(Late()) == mp.where(Late.data)


def test_more_bytes_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="2\\*\\*62"):
        mp.where([mp.Region(k << 62, (1 << 62) - 1) for k in range(3)])


@pytest.mark.parametrize(
    "wrong",
    [[np.ones((9, 2))], [np.ones((2, 9))], [("n", np.ones(3), 4)], [None], [5], [(3, np.ones(3))]],
)
def test_members_without_names_are_refused(wrong) -> None:
    class Mesh:
        def __movepages_buffers__(self):
            return wrong

    with pytest.raises(TypeError, match="pairs"):
        mp.where(Mesh())


def test_a_mapping_names_its_members() -> None:
    class Mesh:
        def __movepages_buffers__(self):
            return {"x": np.ones(3), "a b": np.ones(4)}

    assert list(mp.where(Mesh())) == ["x", "['a b']"]


def test_what_tells_of_memory_is_not_taken_for_it() -> None:
    a = np.ones(3)
    for told in (mp.where(a), mp.where([a]), mp.move(a, min(mp.where(a).bytes_per_node))):
        with pytest.raises(TypeError, match="pass the memory itself"):
            mp.where(told)
        with pytest.raises(TypeError, match=r"^saved: "):
            mp.where({"a": a, "saved": told})


def test_a_graph_of_containers_ends(monkeypatch) -> None:
    monkeypatch.setattr(memory_of, "_MOST_LOOKS", 1000)
    y: list = [np.ones(3), {}]
    for _ in range(30):
        y = [y, y]
    with pytest.raises(TypeError, match="lead to each other"):
        mp.where(y)


def test_dates_and_paths_hold_no_memory() -> None:
    values = {"t": datetime.datetime.now(), "file": pathlib.Path("a"), "f": len.__class__}
    assert list(mp.where({**values, "a": np.ones(3)})) == ["a"]


def test_names_in_any_script_are_readable() -> None:
    assert "straße" in mp.where({"straße": np.ones(3)}).table()


def test_below_gives_a_part() -> None:
    model = {"encoder": [np.ones(10), np.ones(20)], "decoder": np.ones(30)}
    part = mp.where(model).below("encoder")
    assert list(part) == ["encoder[0]", "encoder[1]"]
    assert part.nbytes == 240
    with pytest.raises(KeyError):
        mp.where(model).below("enc")


def test_a_name_that_is_not_there() -> None:
    found = mp.where({"weights": np.ones(10), "bias": np.ones(3)})
    with pytest.raises(KeyError, match=r"no member 'weigths'; there are 'weights', \.\.\."):
        found["weigths"]
    with pytest.raises(KeyError, match="no member 7; there are 'weights', 'bias'"):
        found[7]
    assert (found.get("none"), found.get("none", 3)) == (None, 3)
    assert found.get("bias") == found["bias"]


def test_a_table_has_the_largest_members_first() -> None:
    found = mp.where({f"a{k}": np.ones(1000 * k) for k in range(1, 30)})
    lines = found.table(rows=3).splitlines()
    assert [line.split()[0] for line in lines] == ["member", "a29", "a28", "a27", "and", "total"]
    assert "26 smaller" in lines[4]
    assert list(found.largest(2)) == ["a29", "a28"]
    for wrong in (-1, "2"):
        with pytest.raises((TypeError, ValueError), match="count: expected a whole number from 0"):
            found.largest(wrong)
    assert "a29" in found._repr_html_()
    assert str(found).startswith("29 members")


def test_names_cannot_control_the_terminal() -> None:
    found = mp.where({"\x1b[2J<script>": np.ones(3)})
    assert "\x1b" not in str(found)
    assert "<script>" not in found._repr_html_()


def test_a_masked_array_is_its_data_and_its_mask() -> None:
    masked = np.ma.masked_array(np.ones(1000), np.zeros(1000, bool))
    found = mp.where(masked)
    assert list(found) == ["data", "mask"]
    assert found["mask"].address == masked.mask.ctypes.data
    assert list(mp.where(np.ma.masked_array(np.ones(3)))) == ["data"]
